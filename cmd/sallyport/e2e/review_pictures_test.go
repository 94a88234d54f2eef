//go:build linux

// Pictures of the review page, as the documentation shows them.

package e2e

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestReviewPagePictures makes the pictures of docs/ if SALLYPORT_E2E_PICTURES
// names a directory for them. Without it the test makes them too, but checks
// only their size.
func TestReviewPagePictures(t *testing.T) {
	need(t, "chromium", "nsenter")
	dir := os.Getenv("SALLYPORT_E2E_PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	g := startReviewed(t, "")
	g.day(t)
	b := g.browse(t)
	b.visit("/?reason=feature_off")
	detail := ask[string](b, "document.querySelector('th[data-label=Destination] a').getAttribute('href')")
	for _, c := range []struct {
		file, view, scheme string
		width, height      int64 // size of the window; the picture shows the whole page or only the window
		whole              bool
	}{
		{"review-desktop.png", "/", "light", 1366, 900, true},
		{"review-desktop-dark.png", "/", "dark", 1366, 900, true},
		{"review-phone.png", "/", "light", 390, 844, false},
		{"review-phone-dark.png", detail, "dark", 390, 844, false},
	} {
		b.look(c.width, c.height, c.scheme)
		b.visit(c.view)
		_ = ask[bool](b, "document.querySelector('#h-do')?.scrollIntoView(); true") // the part that a reviewer needs
		shot := chromedp.CaptureScreenshot()
		if c.whole {
			shot = chromedp.FullScreenshot(100)
		}
		data, err := chromedp.Run(b.ctx, shot)
		if err != nil {
			t.Fatal(err)
		}
		data, size := smaller(t, data)
		if size.X != int(c.width) || size.Y < int(c.height) || !c.whole && size.Y > int(c.height) || len(data) > 200<<10 {
			t.Errorf("%s: %v, %d octets", c.file, size, len(data))
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// smaller reduces a picture to at most 256 colours, its most frequent ones. That
// takes a third of the octets.
func smaller(t *testing.T, data []byte) ([]byte, image.Point) {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	count := map[color.Color]int{}
	for y := range full.Bounds().Dy() {
		for x := range full.Bounds().Dx() {
			count[full.At(x, y)]++
		}
	}
	var colours color.Palette
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	few := image.NewPaletted(full.Bounds(), colours[:min(len(colours), 256)])
	draw.Draw(few, few.Rect, full, image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), few.Rect.Size()
}
