package api

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKeyFile_IsMadeOnceAndOnlyForItsOwner(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "token.key")
	first, err := LoadOrCreateKeys(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	token, err := first.IssueToken(Caller{"lab-a", "university", RoleConsumer}, time.Hour, testTime)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadOrCreateKeys(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Verify(token, testTime); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if err := CreateKeyFile(path, rand.Reader); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key file was made over another: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestKeyFile_ManyStartingAtOnceShareOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token.key")
	all := make([]*Keys, 8)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			var err error
			if all[i], err = LoadOrCreateKeys(path, rand.Reader); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range all {
		if k == nil || k.issuingID != all[0].issuingID {
			t.Fatal("two keys were made")
		}
	}
}

func TestKeyFile_RefusesWhatIsNotAPrivateKeyOfItsOwn(t *testing.T) {
	encode := func(kind string, der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	private := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return encode(privateBlock, der, err)
	}
	public := func(key any) []byte {
		der, err := x509.MarshalPKIXPublicKey(key)
		return encode(publicBlock, der, err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := private(testKey(1))
	for name, c := range map[string]struct {
		content []byte
		mode    fs.FileMode
		says    string // "" where it is good
	}{
		"good":                    {good, 0o600, ""},
		"readable by its group":   {good, 0o640, ""},
		"readable by everybody":   {good, 0o644, "chmod 600"},
		"with a retired key":      {append(bytes.Clone(good), public(testKey(2).Public())...), 0o600, ""},
		"two private keys":        {append(bytes.Clone(good), private(testKey(2))...), 0o600, ""},
		"empty":                   {nil, 0o600, "no PEM block"},
		"not PEM":                 {[]byte("key"), 0o600, "no PEM block"},
		"only a public key":       {public(testKey(1).Public()), 0o600, "must be private"},
		"an RSA key":              {private(rsaKey), 0o600, "not an Ed25519 key"},
		"another kind of block":   {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}}), 0o600, "not a PKCS#8"},
		"damaged":                 {encode(privateBlock, []byte{1, 2, 3}, nil), 0o600, "block 1"},
		"too large":               {append(bytes.Clone(good), make([]byte, MaxKeyFileBytes)...), 0o600, "larger than"},
		"more keys than may be":   {append(bytes.Clone(good), bytes.Repeat(public(testKey(3).Public()), MaxVerifyKeys)...), 0o600, "more than"},
		"a damaged retired block": {append(bytes.Clone(good), encode(publicBlock, []byte{1}, nil)...), 0o600, "block 2"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "token.key")
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			keys, err := LoadKeys(path)
			switch {
			case c.says == "" && (err != nil || keys == nil):
				t.Error(err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want something with %q", err, c.says)
			}
		})
	}
}

func TestKeyFile_RetiredKeysVerify(t *testing.T) {
	former, err := NewKeys(testKey(2))
	if err != nil {
		t.Fatal(err)
	}
	token, err := former.IssueToken(Caller{"lab-a", "university", RoleConsumer}, time.Hour, testTime)
	if err != nil {
		t.Fatal(err)
	}
	var file []byte
	for _, key := range []ed25519.PrivateKey{testKey(1), testKey(2)} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der})...)
	}
	keys, err := parseKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Verify(token, testTime); err != nil {
		t.Error(err)
	}
	public, _ := testKey(1).Public().(ed25519.PublicKey)
	if keys.issuingID != KeyID(public) {
		t.Error("the first key does not issue")
	}
}
