// Progress: one line on the terminal while work takes long.

package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progressAfter is how long work runs before the first bar is drawn.
const progressAfter = 500 * time.Millisecond

// A Bar shows the progress of work on one line of a terminal. Only one goroutine
// at a time may use it.
type Bar struct {
	w     io.Writer // nil: no terminal, so nothing is drawn
	began time.Time
	drawn time.Time
}

// NewBar returns a bar for w. It draws nothing where w is not a terminal.
func NewBar(w io.Writer) *Bar {
	if !Is(w) {
		return &Bar{}
	}
	return &Bar{w: w, began: time.Now()}
}

// Bytes returns the function that a scan calls with the bytes it has read; nil
// where nothing is drawn.
func (b *Bar) Bytes() func(read, total int64) {
	if b.w == nil {
		return nil
	}
	return b.draw
}

// Count returns the function that work calls with the number of things done; nil
// where nothing is drawn.
func (b *Bar) Count(things string) func(done, total int) {
	if b.w == nil {
		return nil
	}
	return func(done, total int) {
		took := time.Since(b.began).Round(time.Second)
		b.line(int64(done), int64(total), fmt.Sprintf("%d of %d %s, %v", done, total, things, took))
	}
}

func (b *Bar) draw(read, total int64) {
	left, part := "", min(float64(read)/float64(total), 1)
	if part > 0.01 {
		left = time.Duration(float64(time.Since(b.began))/part*(1-part)).Round(time.Second).String() + " left"
	}
	b.line(read, total, fmt.Sprintf("%d of %d MiB  %s", read>>20, total>>20, left))
}

// line draws the bar, at most ten times a second.
func (b *Bar) line(done, total int64, text string) {
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

// Clear erases the bar.
func (b *Bar) Clear() {
	if b.w != nil && !b.drawn.IsZero() {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.drawn = time.Time{}
	}
}

// Over returns a writer to w that erases the bar before it writes.
func (b *Bar) Over(w io.Writer) io.Writer {
	if b.w == nil {
		return w
	}
	return clearing{w, b}
}

type clearing struct {
	w   io.Writer
	bar *Bar
}

func (c clearing) Write(p []byte) (int, error) {
	c.bar.Clear()
	return c.w.Write(p)
}
