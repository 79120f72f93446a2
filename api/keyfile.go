package api

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A key file holds PEM blocks: the first is the private key (PKCS#8) that issues
// tokens, the others are keys, private or public (PKIX), whose tokens are still
// good. To rotate, put a new private key first and leave the old block below it
// until its tokens have expired.
const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"

	keyFileMode = 0o600
	// othersMode is what everybody on the machine may do with a file.
	othersMode = 0o007

	// MaxKeyFileBytes bounds what is read as a key file.
	MaxKeyFileBytes = 64 << 10
)

// LoadOrCreateKeys reads a key file; where there is none yet it makes one with
// a new key from random, which is crypto/rand.Reader outside of tests.
func LoadOrCreateKeys(path string, random io.Reader) (*Keys, error) {
	keys, err := LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	// Another process may be making it at the same moment: whoever links it first
	// wins, and everybody reads that one.
	if err := CreateKeyFile(path, random); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return LoadKeys(path)
}

// LoadKeys reads a key file that others on the machine cannot read.
func LoadKeys(path string) (*Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("api: open token keys: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("api: read token keys: %w", err)
	}
	if info.Mode().Perm()&othersMode != 0 {
		return nil, fmt.Errorf("api: the token key file %s is open to everybody (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxKeyFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("api: read token keys: %w", err)
	}
	if len(b) > MaxKeyFileBytes {
		return nil, fmt.Errorf("api: the token key file %s is larger than %d bytes", path, MaxKeyFileBytes)
	}
	keys, err := parseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("api: token key file %s: %w", path, err)
	}
	return keys, nil
}

func parseKeys(b []byte) (*Keys, error) {
	var issuing ed25519.PrivateKey
	var retired []ed25519.PublicKey
	for n := 1; ; n++ {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		b = rest
		private, public, err := parseKey(block)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", n, err)
		}
		switch {
		case issuing != nil:
			retired = append(retired, public)
		case private == nil:
			return nil, fmt.Errorf("block %d: the first key must be private", n)
		default:
			issuing = private
		}
	}
	if issuing == nil {
		return nil, errors.New("no PEM block with a private key")
	}
	return NewKeys(issuing, retired...)
}

func parseKey(block *pem.Block) (ed25519.PrivateKey, ed25519.PublicKey, error) {
	var key any
	var err error
	switch block.Type {
	case privateBlock:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case publicBlock:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return nil, nil, fmt.Errorf("%s is not a PKCS#8 private or PKIX public key", block.Type)
	}
	if err != nil {
		return nil, nil, err
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		public, _ := key.Public().(ed25519.PublicKey)
		return key, public, nil
	case ed25519.PublicKey:
		return nil, key, nil
	}
	return nil, nil, errors.New("not an Ed25519 key")
}

// CreateKeyFile makes a key file with one new key, readable by its owner only.
// The file appears whole or not at all; one that exists is left as it is and
// the error is fs.ErrExist.
func CreateKeyFile(path string, random io.Reader) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("api: create token key: %w", err)
		}
	}()
	_, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".token-key-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}))
	err = errors.Join(err, f.Chmod(keyFileMode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	// A link fails where the name is taken, which a rename would overwrite.
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
