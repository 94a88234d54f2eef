// Helpers of the tests: a journal, a receiver that can be killed, and a sender between them.

package sink

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sallyport/denials/journal"
	"sallyport/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eventually polls until done, for at most 30 seconds.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 30 seconds: " + what)
		}
	}
}

// A world has a journal, a receiver and a sender between them.
type world struct {
	t    *testing.T
	path string
	seq  uint64

	mu   sync.Mutex
	l    net.Listener
	open []net.Conn
	got  []uint64 // seq of each message, in the order of arrival
	deaf bool     // the receiver reads nothing
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "denials.jsonl")}
	t.Cleanup(w.kill)
	return w
}

// write appends n denials to the journal.
func (w *world) write(n int) {
	w.t.Helper()
	var b []byte
	for range n {
		w.seq++
		r := journal.Record{Schema: 2, Time: time.Now().UTC(), Seq: w.seq, Boot: "boot1", Event: journal.EventDecision, Verdict: journal.VerdictDeny, Reason: "not_listed", Client: "10.0.0.1", Host: "evil.example", Port: 443}
		b = r.Append(b)
	}
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(b)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// revive makes the receiver listen.
func (w *world) revive() {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.l = l
	w.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.open = append(w.open, c)
			w.mu.Unlock()
			go w.receive(c)
		}
	}()
}

// receive reads messages of RFC 6587 until the connection ends.
func (w *world) receive(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		w.mu.Lock()
		deaf := w.deaf
		w.mu.Unlock()
		if deaf {
			return
		}
		size, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, " "))
		if err != nil {
			w.t.Errorf("a length %q", size)
			return
		}
		m := make([]byte, n)
		if _, err := io.ReadFull(in, m); err != nil {
			return
		}
		_, after, _ := strings.Cut(string(m), `id="boot1-`)
		id, _, _ := strings.Cut(after, `"`)
		seq, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			w.t.Errorf("a message without an ID: %q", m)
		}
		w.mu.Lock()
		w.got = append(w.got, seq)
		w.mu.Unlock()
	}
}

// kill ends the receiver: what it has not read is gone.
func (w *world) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.l != nil {
		_ = w.l.Close()
	}
	for _, c := range w.open {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	w.l, w.open = nil, nil
}

func (w *world) dial(ctx context.Context, _ *rules.Sink) (net.Conn, error) {
	w.mu.Lock()
	l := w.l
	w.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", l.Addr().String())
}

// arrived returns what arrived, and how often.
func (w *world) arrived() map[uint64]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[uint64]int{}
	for _, s := range w.got {
		out[s]++
	}
	return out
}

// whole reports whether each record of the journal arrived.
func (w *world) whole() bool { return uint64(len(w.arrived())) == w.seq }

func (w *world) config() Config {
	return Config{Sink: &rules.Sink{Name: "siem", Type: "syslog", Scheme: rules.SinkTCP, Facility: 16}, Files: []string{w.path}, Cursor: CursorPath(w.path, "siem"), Dial: w.dial,
		Host: "gw", Version: "1", hold: 300 * time.Millisecond, pause: 5 * time.Millisecond, backoff: 10 * time.Millisecond}
}

// start runs a sender, and returns how to end it in order.
func (w *world) start(cfg Config) (*Sender, func()) {
	s := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	stop := func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return s, stop
}
