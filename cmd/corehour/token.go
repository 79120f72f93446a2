package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
)

func newTokenCommand() *cobra.Command {
	var dataDir, tokenKey, account, org, role string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "token --role ROLE --account ACCOUNT",
		Short: "Issue a bearer token with the key of a data directory",
		Long: "Token prints a JWT (EdDSA) that the server on the same data directory accepts. Whoever can read the key file\n" +
			"can issue any token, so keep the directory to the server's user.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireFlags(cmd, "role", "account"); err != nil {
				return err
			}
			keys, err := keysOf(cmp.Or(tokenKey, filepath.Join(dataDir, keyFile)))
			if err != nil {
				return err
			}
			if org == "" {
				org = account
			}
			token, err := issueToken(keys, role, account, org, ttl)
			if err != nil {
				return &usageError{err}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&dataDir, "data-dir", "./corehour-data", "the server's data directory")
	f.StringVar(&tokenKey, "token-key", "", "the server's token key, where it is not in its data directory")
	f.StringVar(&role, "role", "", "provider, consumer, finance or operator")
	f.StringVar(&account, "account", "", "the account that the token speaks for")
	f.StringVar(&org, "org", "", "its organisation (default: the account's name)")
	f.DurationVar(&ttl, "ttl", 24*time.Hour, "how long the token is valid")
	return cmd
}

// keysOf are the token keys of a file that a server has made.
func keysOf(path string) (*api.Keys, error) {
	if !exists(path) {
		return nil, usage("there is no key at %s; the server makes it at its first start", path)
	}
	return api.LoadKeys(path)
}

func issueToken(keys *api.Keys, role, account, org string, ttl time.Duration) (string, error) {
	return keys.IssueToken(api.Caller{
		Account: corehour.AccountID(account), Org: corehour.OrgID(org), Role: api.Role(role),
	}, ttl, time.Now())
}
