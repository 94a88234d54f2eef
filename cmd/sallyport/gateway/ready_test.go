// Tests of the state that a running sallyport reports: in /readyz, in the log and in
// the journal.

package gateway

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sallyport/rules/site"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const readySite = `
[listen]
http = ["127.0.0.1:0"]
[dns]
upstreams = ["udp://127.0.0.1:9"]
[journal]
path = "denials.jsonl"
[[client]]
name     = "manager"
sources  = ["10.77.0.10"]
profiles = []
`

// safeBuffer is a buffer that the goroutines of a gateway may write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// readyGateway returns a gateway without listeners, its log, and a function that
// changes its file.
func readyGateway(t *testing.T) (g *Gateway, log *safeBuffer, write func(text string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sallyport.toml")
	write = func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(readySite)
	g, log = openGateway(t, file)
	return g, log, write
}

// noAdmin is the NewAdmin of gateways without an admin listener.
func noAdmin(http.Handler, *site.Config, *slog.Logger) (AdminServer, error) { return nil, nil }

// openGateway opens the gateway of a file, without listeners, and puts the file
// in force. It looks for changes a hundred times a second.
func openGateway(t *testing.T, file string) (*Gateway, *safeBuffer) {
	t.Helper()
	source := NewSource(file, strings.NewReader(""))
	cfg, _, err := source.LoadToRun()
	if err != nil {
		t.Fatal(err)
	}
	log := new(safeBuffer)
	g, err := Open(Options{
		Source: source, Config: cfg, Admin: noAdmin, ResolvConf: ResolvConf, Now: time.Now, Poll: 10 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	g.Start(t.Context())
	return g, log
}

// readyz returns the status and the text of /readyz.
func (g *Gateway) readyz() (int, string) {
	w := httptest.NewRecorder()
	g.serveReady(w, httptest.NewRequest("GET", "/readyz", nil))
	return w.Code, w.Body.String()
}

func TestDrainingIsNotReady(t *testing.T) {
	g, _, _ := readyGateway(t)
	if code, text := g.readyz(); code != 200 {
		t.Fatalf("%d before the drain:\n%s", code, text)
	}
	g.drain(time.Second, nil)
	if code, text := g.readyz(); code != 503 || !strings.Contains(text, "not ready: draining\n") {
		t.Errorf("%d while draining:\n%s", code, text)
	}
}

func TestSecondSignalIsLogged(t *testing.T) {
	g, log, _ := readyGateway(t)
	stop := make(chan os.Signal, 1)
	stop <- syscall.SIGTERM
	cut := make(chan struct{})
	g.cutShort(stop, nil, func() { close(cut) })
	<-cut
	if !strings.Contains(log.String(), "second signal") || !strings.Contains(log.String(), "signal=terminated") {
		t.Errorf("the log says\n%s", log)
	}
}

// Keys that need a restart are compared with their values at the start, not with
// the last file: a changed key stays pending until it has its first value again.
func TestPendingKeysAreSaid(t *testing.T) {
	g, _, write := readyGateway(t)
	moved := strings.Replace(readySite, "127.0.0.1:0", "127.0.0.1:1", 1)
	for _, c := range []struct{ what, text, want string }{
		{"as at the start", readySite + "# 1\n", ""},
		{"another listener", moved, "; [listen] takes effect at the next start\n"},
		{"the same again", moved + "# 2\n", "; [listen] takes effect at the next start\n"},
		{"the journal, too", strings.Replace(moved, "denials.jsonl", "d.jsonl", 1), "; [listen], [journal] take effect at the next start\n"},
		{"hardening", readySite + "[process]\nhardening = \"off\"\n", "; [process] takes effect at the next start\n"},
		{"a limit that is live", readySite + "[limits]\ncache = 99\nwildcard_names = 20\nudp_flows = 8\n", ""},
		{"taken back", readySite, ""},
	} {
		write(c.text)
		g.Reload("test")
		_, text := g.readyz()
		if c.want == "" && strings.Contains(text, "next start") || !strings.Contains(text, c.want) {
			t.Errorf("%s: /readyz says\n%s", c.what, text)
		}
	}
	var journal []byte
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && bytes.Count(journal, []byte("; closed 0 flows")) < 7; time.Sleep(time.Millisecond) {
		var err error
		if journal, err = os.ReadFile(g.booted.Journal.Path); err != nil {
			t.Fatal(err)
		}
	}
	if n := bytes.Count(journal, []byte("; closed 0 flows")); n != 7 {
		t.Errorf("%d of 7 reload records tell how many flows they closed:\n%s", n, journal)
	}
	if n := bytes.Count(journal, []byte("take effect at the next start; closed 0 flows")); n != 1 {
		t.Errorf("the journal tells %d times of two pending keys, want once:\n%s", n, journal)
	}
}

func TestReloadRefusesWhatOthersCanWrite(t *testing.T) {
	g, _, write := readyGateway(t)
	write(readySite + "\n# changed\n")
	if err := os.Chmod(g.source.file, 0o666); err != nil {
		t.Fatal(err)
	}
	g.Reload("test")
	if _, text := g.readyz(); !strings.Contains(text, "not ready: configuration: the file was refused, and the earlier configuration stays in force: ") || !strings.Contains(text, "chmod go-w "+g.source.file) {
		t.Errorf("%s", text)
	}
	if err := os.Chmod(g.source.file, 0o644); err != nil {
		t.Fatal(err)
	}
	g.Reload("test")
	if _, text := g.readyz(); strings.Contains(text, "not in force") {
		t.Errorf("%s", text)
	}
}
