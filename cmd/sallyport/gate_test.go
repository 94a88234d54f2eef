// Gate tests: one place decides, and one place connects.

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	slashpath "path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sources calls visit for every Go file of the product, except tests and
// benchmarks. path is relative to the repository.
func sources(t *testing.T, visit func(path string, text []byte)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "bench" || e.Name() == ".git" || e.Name() == "dist" || slices.Contains(forTests, filepath.ToSlash(strings.TrimPrefix(path, "../../")))) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		visit(filepath.ToSlash(strings.TrimPrefix(path, "../../")), text)
		return err
	})
	if err != nil || files < 50 {
		t.Fatalf("looked at %d files: %v", files, err)
	}
}

// wayOut matches code that connects, resolves names or reads a proxy from the
// environment.
var wayOut = regexp.MustCompile(`net\.(Dial|DialTimeout|DialTCP|DialUDP|DialIP|Dialer|DefaultResolver|Resolver|Lookup\w+)\b|ProxyFromEnvironment|http\.(Get|Post|Head|DefaultClient|DefaultTransport)\b`)

// dialers lists the files that may hold a net.Dialer, and why.
var dialers = []string{
	"cmd/sallyport/healthcheck.go",        // asks the admin listener of this host
	"cmd/sallyport/preflight/listener.go", // makes a handshake with sallyport's own TLS listener
	"dnsfilter/config.go",                 // connects to upstreams, by address
	"proxy/race.go",                       // connects to addresses that a decision reaches
	"proxy/datagram/connect.go",           // connects the socket of a flow, to an address that its decision reaches
	"cmd/sallyport/gateway/sinks.go",      // connects to the receivers of events, which no client may reach
	"cmd/sallyport/gateway/listen.go",     // finds out whether a unix socket is still in use
}

// TestNoOtherWayOut checks that only the listed dialers connect.
func TestNoOtherWayOut(t *testing.T) {
	sources(t, func(path string, text []byte) {
		for i, line := range strings.Split(string(text), "\n") {
			m := wayOut.FindString(line)
			if m == "" || m == "net.Dialer" && slices.Contains(dialers, path) {
				continue
			}
			t.Errorf("%s:%d: %s is a way out beside the one dialer", path, i+1, m)
		}
	})
	for _, line := range []string{`c, err := net.Dial("tcp", addr)`, `d := net.Dialer{}`, `net.LookupHost(name)`} {
		if !wayOut.MatchString(line) {
			t.Errorf("the pattern does not find %s", line)
		}
	}
}

// deciders lists the packages that may make or change a Decision.
var deciders = []string{"rules", "denials", "denials/journal"}

// verdictsMade returns the places in a file that make or change a Decision.
func verdictsMade(t *testing.T, path string, text []byte) (found []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if s, ok := n.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "Decision" && len(n.Elts) > 0 {
				found = append(found, set.Position(n.Pos()).String()+": makes a Decision")
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == "Verdict" {
					found = append(found, set.Position(n.Pos()).String()+": changes a Verdict")
				}
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "rules" && (n.Sel.Name == "Deny" || n.Sel.Name == "Allow") && strings.HasPrefix(path, "proxy/") {
				found = append(found, set.Position(n.Pos()).String()+": knows a Verdict")
			}
		}
		return true
	})
	return found
}

// TestOneGate checks that only the deciders make or change a Decision: front ends
// obey it.
func TestOneGate(t *testing.T) {
	sources(t, func(path string, text []byte) {
		if slices.Contains(deciders, slashpath.Dir(path)) {
			return
		}
		for _, f := range verdictsMade(t, path, text) {
			t.Error(f)
		}
	})
	for _, line := range []string{"d.Verdict = x", "_ = rules.Decision{Reason: r}"} {
		if len(verdictsMade(t, "proxy/x.go", []byte("package x\nfunc f() { "+line+" }"))) == 0 {
			t.Errorf("%s is not found", line)
		}
	}
}

// TestFrontEndsKnowOnlyTheGate checks that proxy and dnsfilter ask only a Gate. They
// use no policy and no other function that knows clients.
func TestFrontEndsKnowOnlyTheGate(t *testing.T) {
	second := regexp.MustCompile(`\.ClientOf\(|\bKnown\b|\bCheck\b|rules\.(Live|Compile|Config|ParseConfig)\b`)
	sources(t, func(path string, text []byte) {
		if !strings.HasPrefix(path, "proxy/") && !strings.HasPrefix(path, "dnsfilter/") {
			return
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := second.FindString(line); m != "" && !strings.HasPrefix(strings.TrimSpace(line), "//") {
				t.Errorf("%s:%d: %s is a second way to know the policy", path, i+1, m)
			}
		}
	})
}
