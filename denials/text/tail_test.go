// Tests of the output of tail.

package text

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"sallyport/denials/journal"
)

func TestWriteTailIsSafe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	journalOf(t, path, at(0, func(r *journal.Record) {
		r.Host, r.HostRaw, r.Hint, r.Count = "", "\x1b[2J\u202e\n<script>", "a\rb", 7
	}))
	ctx, cancel := context.WithCancel(context.Background())
	var b bytes.Buffer
	_, err := WriteTail(ctx, Options{Files: []string{path}, Now: noon}, writerFunc(func(p []byte) (int, error) {
		cancel()
		return b.Write(p)
	}))
	want := `12:00:00 UTC  es-manager 10.0.0.7  connect  \x1b[2J\u202e\n<script>:443  not_listed  ×7  a\rb` + "\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n got %q\nwant %q", err, b.String(), want)
	}
	if _, err := WriteTail(context.Background(), Options{Files: []string{path}}, writerFunc(func([]byte) (int, error) { return 0, fmt.Errorf("pipe") })); err == nil {
		t.Error("tail does not return the error of its output")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
