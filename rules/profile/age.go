// Age: how old a profile's document is, at an instant that the caller gives.

package profile

import (
	"time"

	"sallyport/rules"
)

// Age returns how many days ago a document was released; if that is unknown, how many days
// ago it was retrieved. The second result is false if both are unknown.
func Age(d rules.Document, now time.Time) (days int, known bool) {
	for _, text := range []string{d.Released, d.Retrieved} {
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return int(now.Sub(day) / (24 * time.Hour)), true
		}
	}
	return 0, false
}

// Old reports whether a document is older than two years, so that its vendor probably has a
// newer one.
func Old(d rules.Document, now time.Time) bool {
	for _, text := range []string{d.Released, d.Retrieved} {
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return now.After(day.AddDate(2, 0, 1))
		}
	}
	return false
}
