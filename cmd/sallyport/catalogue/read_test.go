// Tests of reading files: what has no end, or is too long, is an error and fills no memory.

package catalogue

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// endless is an input without an end. It counts what is read of it.
type endless int64

func (e *endless) Read(b []byte) (int, error) {
	*e += endless(len(b))
	return len(b), nil
}

func TestWhatHasNoEndIsNotRead(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long.toml")
	if err := os.WriteFile(long, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(long, 1<<36); err != nil { // 64 GiB without a block on the disk
		t.Skip(err)
	}
	pipes := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(pipes, "pipe.toml"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"check", "/dev/zero"}, "/dev/zero: it is a device: name a file, or - for standard input"},
		{[]string{"show", "/dev/../dev/zero"}, "it is a device: name a file, or - for standard input"},
		{[]string{"diff", "/dev/zero", "/dev/zero"}, "it is a device: name a file, or - for standard input"},
		{[]string{"export", "/dev/zero", "--as", "csv"}, "it is a device: name a file, or - for standard input"},
		{[]string{"import", "/dev/zero", "--title", "T"}, "read /dev/zero: it is a device: name a file, or - for standard input"},
		{[]string{"check", pipes}, pipes + ": there is no *.toml in this directory"},
		{[]string{"check", long}, long + ": it has more than 4 MiB: divide it, or remove what is not needed"},
		{[]string{"show", long}, "it has more than 4 MiB: divide it, or remove what is not needed"},
		{[]string{"export", long, "--as", "csv"}, "it has more than 4 MiB: divide it, or remove what is not needed"},
		{[]string{"import", long, "--title", "T"}, "it has more than 64 MiB: divide it, or remove what is not needed"},
		{[]string{"check", "-"}, "standard input: it has more than 4 MiB: divide it, or remove what is not needed"},
		{[]string{"import", "-", "--title", "T"}, "it has more than 64 MiB: divide it, or remove what is not needed"},
	} {
		var out bytes.Buffer
		var in endless
		cmd := New()
		cmd.SetArgs(c.args)
		cmd.SetIn(&in)
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		err := cmd.Execute()
		if err == nil {
			t.Errorf("%q: no error", c.args)
			continue
		}
		if text := out.String() + err.Error(); !strings.Contains(text, c.want) {
			t.Errorf("%q: %s, want %s", c.args, text, c.want)
		}
		if in > 65<<20 {
			t.Errorf("%q: %d bytes were read", c.args, in)
		}
	}
}
