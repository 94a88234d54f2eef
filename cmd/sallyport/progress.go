// Progress: one line on the terminal while something takes long.

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sallyport/denials/journal"
)

// progressAfter is how long work goes on before anybody is told.
const progressAfter = 500 * time.Millisecond

// A progressBar is drawn on standard error where that is a terminal. It is
// used by one goroutine at a time.
type progressBar struct {
	w     io.Writer // nil: nobody looks
	began time.Time
	drawn time.Time
}

func newProgress(w io.Writer) *progressBar {
	if !isTerminal(w) {
		return &progressBar{}
	}
	return &progressBar{w: w, began: time.Now()}
}

// show returns what a scan calls; nil: nobody looks.
func (b *progressBar) show() journal.Progress {
	if b.w == nil {
		return nil
	}
	return b.draw
}

// count returns what counts things done; nil: nobody looks.
func (b *progressBar) count(things string) func(done, total int) {
	if b.w == nil {
		return nil
	}
	return func(done, total int) {
		took := time.Since(b.began).Round(time.Second)
		b.line(int64(done), int64(total), fmt.Sprintf("%d of %d %s, %v", done, total, things, took))
	}
}

func (b *progressBar) draw(read, total int64) {
	left, part := "", min(float64(read)/float64(total), 1)
	if part > 0.01 {
		left = time.Duration(float64(time.Since(b.began))/part*(1-part)).Round(time.Second).String() + " left"
	}
	b.line(read, total, fmt.Sprintf("%d of %d MiB  %s", read>>20, total>>20, left))
}

// line draws the bar, unless that was just done.
func (b *progressBar) line(done, total int64, text string) {
	now := time.Now()
	if now.Sub(b.began) < progressAfter || now.Sub(b.drawn) < 100*time.Millisecond || total <= 0 {
		return
	}
	b.drawn = now
	const width = 30
	part := min(float64(done)/float64(total), 1)
	full := int(part * width)
	fmt.Fprintf(b.w, "\r\x1b[K[%s%s] %3.0f %%  %s", strings.Repeat("#", full), strings.Repeat(" ", width-full), part*100, text)
}

// clear wipes the line away.
func (b *progressBar) clear() {
	if b.w != nil && !b.drawn.IsZero() {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.drawn = time.Time{}
	}
}

// over returns w, in front of which the line is wiped away.
func (b *progressBar) over(w io.Writer) io.Writer {
	if b.w == nil {
		return w
	}
	return clearing{w, b}
}

type clearing struct {
	w   io.Writer
	bar *progressBar
}

func (c clearing) Write(p []byte) (int, error) {
	c.bar.clear()
	return c.w.Write(p)
}

// isTerminal tells whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
