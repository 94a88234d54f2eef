// Key pair: a certificate and its private key in two files, and what is said if they are mixed up.

package site

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// A PairFault is why two files are no certificate with its key.
type PairFault struct {
	OfKey bool   // the fault is the key's, not the certificate's
	Text  string // begins with the path of the file, and says what to do
}

// ParsePair parses a certificate and its key. The paths are for texts.
func ParsePair(certPath, keyPath string, cert, key []byte) (tls.Certificate, *PairFault) {
	certKinds, keyKinds := kindsOf(cert), kindsOf(key)
	isKey := func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }
	hasCert, hasKey := slices.Contains(certKinds, certificateKind), slices.ContainsFunc(keyKinds, isKey)
	switch {
	case !hasCert && !hasKey && slices.ContainsFunc(certKinds, isKey) && slices.Contains(keyKinds, certificateKind):
		return tls.Certificate{}, &PairFault{false, fmt.Sprintf("%s has the key, and %s has the certificate: exchange the two paths", certPath, keyPath)}
	case !hasCert:
		return tls.Certificate{}, &PairFault{false, certPath + ": " + lacksCertificate(certKinds, cert, certPath)}
	case !hasKey:
		return tls.Certificate{}, &PairFault{true, keyPath + ": " + lacksKey(keyKinds)}
	case passphrase(key):
		return tls.Certificate{}, &PairFault{true, keyPath + ": the key needs a passphrase, and no one is there to type it at a start: write it without one (openssl pkey -in OLD -out NEW; chmod 640 NEW)"}
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		return pair, nil
	case placeOf(cert, key) > 0:
		return tls.Certificate{}, &PairFault{false, fmt.Sprintf("%s: the key in %s belongs to certificate %d of the file: that certificate must be the first one, and those of the authorities come after it", certPath, keyPath, placeOf(cert, key)+1)}
	case strings.Contains(err.Error(), "does not match"):
		return tls.Certificate{}, &PairFault{false, fmt.Sprintf("%s: the key in %s belongs to another certificate: name the two files that were made together", certPath, keyPath)}
	}
	return tls.Certificate{}, &PairFault{false, fmt.Sprintf("%s and %s: %v", certPath, keyPath, err)}
}

// certificateKind is the kind of a certificate in PEM.
const certificateKind = "CERTIFICATE"

// kindsOf returns the kinds of the PEM blocks in a file.
func kindsOf(data []byte) (kinds []string) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		kinds = append(kinds, block.Type)
	}
	return kinds
}

// lacksCertificate says what a file is that has no certificate in PEM.
func lacksCertificate(kinds []string, data []byte, path string) string {
	switch {
	case len(kinds) > 0:
		return "the file has a " + kinds[0] + " and no certificate: name the file of the certificate, which begins with -----BEGIN CERTIFICATE-----"
	case bytes.HasPrefix(data, []byte{0x30, 0x82}): // a SEQUENCE of DER
		return "the file seems to be DER, and must be PEM: openssl x509 -inform der -in " + path + " -out NEW"
	}
	return "the file has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"
}

// lacksKey says what a file is that has no private key in PEM.
func lacksKey(kinds []string) string {
	if len(kinds) > 0 {
		return "the file has a " + kinds[0] + " and no key: name the file of the key"
	}
	return "the file has no private key in PEM"
}

// passphrase reports whether a key is encrypted.
func passphrase(key []byte) bool {
	for block, rest := pem.Decode(key); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return true
		}
	}
	return false
}

// placeOf returns the place of the first certificate in a file that belongs to the key; -1 if none
// does.
func placeOf(certs, key []byte) int {
	n := 0
	for block, rest := pem.Decode(certs); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != certificateKind {
			continue
		}
		if _, err := tls.X509KeyPair(pem.EncodeToMemory(block), key); err == nil {
			return n
		}
		n++
	}
	return -1
}
