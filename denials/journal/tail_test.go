// Tests of tail: nothing is lost or doubled while a journal is written, rotated
// and cut.

package journal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// followed has a test journal and the output of Tail for it.
type followed struct {
	path string
	mu   sync.Mutex
	got  []string
	stop context.CancelFunc
	err  chan error
}

func follow(t *testing.T, path string, o TailOptions) *followed {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &followed{path: path, stop: cancel, err: make(chan error, 1)}
	o.Path, o.Every = path, time.Millisecond
	go f.run(ctx, o)
	t.Cleanup(func() {
		cancel()
		if err := <-f.err; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *followed) run(ctx context.Context, o TailOptions) {
	f.err <- Tail(ctx, o, func(r *Record) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.got = append(f.got, strings.TrimSuffix(r.Host, ".example"))
		return nil
	})
}

func (f *followed) wants(t *testing.T, want string) {
	t.Helper()
	eventually(t, "tail says "+want, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return strings.Join(f.got, " ") == want
	})
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func lineOfRecord(r Record) string { return string(r.Append(nil)) }

func TestTailFollowsRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	journalOf(t, path, at(0, nil), at(1, nil), at(2, nil))
	f := follow(t, path, TailOptions{Last: 2})
	f.wants(t, "n1 n2")
	three := lineOfRecord(at(3, nil))
	appendTo(t, path, three[:20]) // a half line is not a record yet
	appendTo(t, path, three[20:]+"not a record\n"+strings.Repeat("x", 3*lineMax)+"\n")
	f.wants(t, "n1 n2 n3")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, path+".1", lineOfRecord(at(4, nil))) // the gateway still has it open
	f.wants(t, "n1 n2 n3 n4")
	journalOf(t, path, at(5, nil), at(15, nil))
	f.wants(t, "n1 n2 n3 n4 n5 n15")
	// The file was cut, and grew again to less than the part that was read.
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	appendTo(t, path, lineOfRecord(at(6, nil)))
	f.wants(t, "n1 n2 n3 n4 n5 n15 n6")
}

func TestTailWaitsForTheFileAndFilters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	f := follow(t, path, TailOptions{Last: 10, Select: func(r *Record) bool { return r.Denied() && strings.HasSuffix(r.Host, "1.example") }})
	journalOf(t, path, at(0, nil), at(1, nil), at(11, func(r *Record) { r.Verdict = VerdictAllow }))
	f.wants(t, "n1")
	appendTo(t, path, lineOfRecord(at(20, nil))+lineOfRecord(at(21, nil)))
	f.wants(t, "n1 n21")
}
