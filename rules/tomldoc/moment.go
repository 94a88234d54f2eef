// Moments: dates, and instants with their zone.

package tomldoc

import (
	"fmt"
	"time"
)

// Date reads a date, bare or in quotes; the zero time if it is absent or wrong.
func (t *Table) Date(key string) time.Time {
	t.used[key] = true
	switch v := t.m[key].(type) {
	case time.Time:
		return time.Date(v.Year(), v.Month(), v.Day(), 0, 0, 0, 0, time.UTC)
	case string:
		if d, err := time.Parse(time.DateOnly, v); err == nil {
			return d
		}
	}
	t.Errorf(key, "must be a date like 2027-06-30")
	return time.Time{}
}

// End reads a date, or a date-time with a zone, bare or in quotes. A date-time may have a space
// in place of the T, and no seconds. It returns the instant
// that follows the whole day in UTC, or the instant that is written, in its zone. It returns
// the zero time if the key is absent or wrong.
func (t *Table) End(key string) time.Time {
	t.used[key] = true
	raw, there := t.m[key]
	if !there {
		return time.Time{}
	}
	end, wrong := endOf(raw)
	if wrong == "" && end.Year() < firstYear {
		wrong = "is before the year 2000: write the day or the instant at which the rule ends"
	}
	if wrong != "" {
		t.Errorf(key, "%s", wrong)
		return time.Time{}
	}
	return end
}

// firstYear is the first year that End accepts. Go's zero time, which means "never" in a
// rule, is long before.
const firstYear = 2000

// endOf returns the end that a value stands for, or what is wrong with the value.
func endOf(raw any) (end time.Time, wrong string) {
	switch v := raw.(type) {
	case time.Time:
		switch v.Location().String() {
		case "date-local":
			return time.Date(v.Year(), v.Month(), v.Day()+1, 0, 0, 0, 0, time.UTC), ""
		case "datetime-local":
			return time.Time{}, fmt.Sprintf("%s has no zone: write %[1]sZ if it is in UTC, else the offset, like %[1]s+02:00", v.Format(time.DateOnly+"T"+time.TimeOnly))
		case "time-local":
		default:
			return v, ""
		}
	case string:
		if d, err := time.Parse(time.DateOnly, v); err == nil {
			return d.AddDate(0, 0, 1), ""
		}
		for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00"} {
			if at, err := time.Parse(layout, v); err == nil {
				return at, ""
			}
		}
	}
	return time.Time{}, "must be a date like 2027-06-30, or a date-time with its zone, like 2027-06-30T18:00:00Z or 2027-06-30T18:00:00+02:00"
}
