// Tests of the feed: each record that is on the disk comes once and in order, whatever happened to
// the files since the stored position.

package journal

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// a journalDir writes lines as a journal would.
type journalDir struct {
	t    *testing.T
	path string
	seq  uint64
}

func newJournalDir(t *testing.T) *journalDir {
	return &journalDir{t: t, path: filepath.Join(t.TempDir(), "denials.jsonl")}
}

// write appends n records.
func (d *journalDir) write(n int) {
	d.t.Helper()
	var b []byte
	for range n {
		d.seq++
		r := Record{Schema: 2, Time: time.Date(2026, 11, 30, 10, 0, int(d.seq), 0, time.UTC), Seq: d.seq, Boot: "boot1", Event: EventDecision, Verdict: VerdictDeny}
		b = r.Append(b)
	}
	d.text(string(b))
}

// text appends raw text.
func (d *journalDir) text(s string) {
	d.t.Helper()
	f, err := os.OpenFile(d.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(s)
		err = cmpErr(err, f.Close())
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// backup returns the name of the nth backup.
func (d *journalDir) backup(n int) string {
	return filepath.Join(filepath.Dir(d.path), fmt.Sprintf("denials-2026-11-30T10-0%d-00.000-full.jsonl", n))
}

func (d *journalDir) rename(n int) {
	d.t.Helper()
	if err := os.Rename(d.path, d.backup(n)); err != nil {
		d.t.Fatal(err)
	}
}

// pack compresses the nth backup.
func (d *journalDir) pack(n int) {
	d.t.Helper()
	data, err := os.ReadFile(d.backup(n))
	if err != nil {
		d.t.Fatal(err)
	}
	f, err := os.Create(d.backup(n) + ".gz")
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	if _, err := z.Write(data); err != nil {
		d.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.remove(d.backup(n))
}

func (d *journalDir) remove(name string) {
	d.t.Helper()
	if err := os.Remove(name); err != nil {
		d.t.Fatal(err)
	}
}

// drain returns the numbers of the records that the feed has now, at most most of them, and the
// records that gaps count.
func drain(t *testing.T, f *Feed, most int) (seqs []uint64, lost uint64) {
	t.Helper()
	for len(seqs) < most {
		r, line, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		if r == nil {
			break
		}
		if want := string(r.Append(nil)); want != string(line)+"\n" {
			t.Fatalf("line %q, want %q", line, want)
		}
		if g := f.Gap(); g != nil {
			lost += g.Records
		}
		seqs = append(seqs, r.Seq)
	}
	return seqs, lost
}

func upTo(from, to uint64) (out []uint64) {
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// TestFeedAcrossFiles stops a feed in the middle of a file, does something to the files, and lets a
// new feed go on from the stored position.
func TestFeedAcrossFiles(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(*journalDir)
		want []uint64
		lost uint64
	}{
		{"nothing happens", func(*journalDir) {}, upTo(4, 10), 0},
		{"more is written", func(d *journalDir) { d.write(5) }, upTo(4, 15), 0},
		{"renamed", func(d *journalDir) { d.rename(1); d.write(2) }, upTo(4, 12), 0},
		{"renamed, and nothing new yet", func(d *journalDir) { d.rename(1) }, upTo(4, 10), 0},
		{"compressed", func(d *journalDir) { d.rename(1); d.pack(1); d.write(2) }, upTo(4, 12), 0},
		{"rotated twice", func(d *journalDir) { d.rename(1); d.pack(1); d.write(2); d.rename(2); d.write(2) }, upTo(4, 14), 0},
		{"by logrotate", func(d *journalDir) {
			if err := os.Rename(d.path, d.path+".1"); err != nil {
				t.Fatal(err)
			}
			d.write(2)
		}, upTo(4, 12), 0},
		{"copied and cut short", func(d *journalDir) {
			data, _ := os.ReadFile(d.path)
			if err := os.WriteFile(d.path+".1", data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(d.path, 0); err != nil {
				t.Fatal(err)
			}
			d.write(2)
		}, upTo(4, 12), 0},
		{"removed before it was read", func(d *journalDir) { d.rename(1); d.write(2); d.remove(d.backup(1)) }, upTo(11, 12), 7},
		{"two removed", func(d *journalDir) {
			d.rename(1)
			d.write(2)
			d.rename(2)
			d.write(1)
			d.remove(d.backup(1))
			d.remove(d.backup(2))
		}, upTo(13, 13), 9},
		{"a damaged copy", func(d *journalDir) {
			d.rename(1)
			d.pack(1)
			if err := os.Truncate(d.backup(1)+".gz", 60); err != nil {
				t.Fatal(err)
			}
			d.write(2)
		}, upTo(11, 12), 7},
		{"torn and foreign lines", func(d *journalDir) { d.text("{\"schema\":2,\"ti~\nno record\n"); d.write(2) }, upTo(4, 12), 0},
		{"an incomplete last line in a backup", func(d *journalDir) { d.text(`{"schema":2`); d.rename(1); d.write(2) }, upTo(4, 12), 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			d := newJournalDir(t)
			d.write(10)
			first := NewFeed(d.path, Position{})
			if got, _ := drain(t, first, 3); !slices.Equal(got, upTo(1, 3)) {
				t.Fatalf("the first feed has %v", got)
			}
			at := first.Position()
			first.Close()
			c.do(d)
			f := NewFeed(d.path, at)
			defer f.Close()
			got, lost := drain(t, f, 100)
			if !slices.Equal(got, c.want) || lost != c.lost {
				t.Errorf("the feed has %v and lost %d, want %v and %d", got, lost, c.want, c.lost)
			}
			if d.write(1); !slices.Equal(first1(drain(t, f, 100)), []uint64{d.seq}) {
				t.Error("the feed does not go on with the next record")
			}
		})
	}
}

func first1(s []uint64, _ uint64) []uint64 { return s }

// A feed that has a file open reads it to its end when it is renamed, compressed or removed.
func TestFeedWhileItReads(t *testing.T) {
	d := newJournalDir(t)
	f := NewFeed(d.path, Position{})
	defer f.Close()
	if got, _ := drain(t, f, 10); got != nil {
		t.Fatalf("without a file the feed has %v", got)
	}
	d.write(5)
	got, _ := drain(t, f, 2)
	d.rename(1)
	d.write(3)
	d.remove(d.backup(1))
	more, lost := drain(t, f, 100)
	if got = append(got, more...); !slices.Equal(got, upTo(1, 8)) || lost != 0 {
		t.Errorf("the feed has %v and lost %d, want 1 to 8", got, lost)
	}
	d.text(`{"schema":2,"time":"2026-`)
	if got, _ := drain(t, f, 10); got != nil {
		t.Errorf("half a line gave %v", got)
	}
}

// A writer may go on writing to a renamed file for a while: nothing of it is left out.
func TestFeedWaitsForTheWriter(t *testing.T) {
	d := newJournalDir(t)
	d.write(2)
	f := NewFeed(d.path, Position{})
	defer f.Close()
	got, _ := drain(t, f, 10)
	d.rename(1)
	path := d.path
	if err := os.WriteFile(path, nil, 0o600); err != nil { // logrotate's "create"
		t.Fatal(err)
	}
	more, _ := drain(t, f, 10)
	d.path = d.backup(1)
	d.write(2)
	d.path = path
	rest, _ := drain(t, f, 10)
	d.write(1)
	last, _ := drain(t, f, 10)
	if got = slices.Concat(got, more, rest, last); !slices.Equal(got, upTo(1, 5)) {
		t.Errorf("the feed has %v, want 1 to 5", got)
	}
}

// Seek goes back, also into a file that was compressed meanwhile.
func TestFeedSeek(t *testing.T) {
	d := newJournalDir(t)
	d.write(6)
	f := NewFeed(d.path, Position{})
	defer f.Close()
	drain(t, f, 2)
	at := f.Position()
	d.rename(1)
	d.write(2)
	drain(t, f, 100)
	d.pack(1)
	f.Seek(at)
	if got, lost := drain(t, f, 100); !slices.Equal(got, upTo(3, 8)) || lost != 0 {
		t.Errorf("after Seek the feed has %v and lost %d, want 3 to 8", got, lost)
	}
}
