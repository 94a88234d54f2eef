// Files: reads the token, the certificate and the key of the admin listener.

package admin

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules"
	"sallyport/rules/site"
)

// Check returns an error for each file of [admin] with which the listener could not start. The
// configuration may have other errors (see site.Survey).
func Check(cfg *site.Config) rules.Problems {
	_, _, problems := read(cfg)
	return problems
}

// read reads the files of [admin]. The token is "" and the pair nil if the configuration has none.
func read(cfg *site.Config) (token string, pair *tls.Certificate, problems rules.Problems) {
	report := func(key, text string, err error) {
		p := rules.Problem{File: cfg.File, Text: "[admin] " + key + ": " + text}
		_ = errors.As(err, &p.Cause)
		if i := slices.IndexFunc(cfg.Inputs, func(in site.Input) bool { return in.Key == "[admin] "+key }); i >= 0 {
			p.Line = cfg.Inputs[i].Line
		}
		problems = append(problems, p)
	}
	if f := cfg.Admin.TokenFile; f != "" {
		t, err := tokenIn(f)
		if token = t; err != nil {
			report("token_file", err.Error(), err)
		}
	}
	texts := map[string][]byte{}
	for key, path := range map[string]string{"tls_cert": cfg.Admin.TLSCert, "tls_key": cfg.Admin.TLSKey} {
		if path == "" {
			continue
		}
		data, err := os.ReadFile(path)
		if texts[key] = data; err != nil {
			delete(texts, key)
			report(key, err.Error()+gateway.ToBeReadable(err, path)+absent(err, "create it"), err)
		}
	}
	if len(texts) == 2 {
		p, fault := site.ParsePair(cfg.Admin.TLSCert, cfg.Admin.TLSKey, texts["tls_cert"], texts["tls_key"])
		if pair = &p; fault != nil {
			report(map[bool]string{false: "tls_cert", true: "tls_key"}[fault.OfKey], fault.Text, nil)
		}
	}
	return token, pair, problems.Sorted()
}

// ReadToken reads the admin token from a file. It rejects a token that is too short.
func ReadToken(file string) (string, error) {
	token, err := tokenIn(file)
	if err != nil {
		return "", fmt.Errorf("[admin] token_file: %w", err)
	}
	return token, nil
}

func tokenIn(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%w%s%s", err, gateway.ToBeReadable(err, file), absent(err, "create it, for example with (umask 077; openssl rand -hex 32 > "+file+")"))
	}
	token := strings.TrimSpace(string(data))
	if len(token) < 16 {
		return "", fmt.Errorf("%s has fewer than 16 characters; make a token with: openssl rand -hex 32", file)
	}
	return token, nil
}

// absent returns the remedy to append to err if there is no such file; "" for any other error.
func absent(err error, create string) string {
	if !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return ": " + create + ", or correct the path"
}
