// The files that the examples of the reference name.

package configs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"math/big"
	"path/filepath"
	"testing"
)

// files is a disk with files of these names, in any directory, and no directory to list.
type files map[string][]byte

func (f files) Read(path string, _ int) ([]byte, error) {
	if data, ok := f[filepath.Base(path)]; ok {
		return data, nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func (f files) List(dir, _ string) ([]string, error) {
	return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
}

// named returns the files that the reference's examples name.
func named(t *testing.T) files {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return files{
		"users":     []byte("me:$2y$10$w5rbbMHyWJMmDIhk9hgHNOaqjmPbEzcGNd9LhIfu5sGYJ9Ez3uF1i\n"),
		"allow.txt": []byte("listed.corp.example\n"), "parent.auth": []byte("sallyport:secret\n"), "parent-ca.pem": chain, "siem-ca.pem": chain, "sallyport.pem": chain,
		"sallyport.key": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
	}
}
