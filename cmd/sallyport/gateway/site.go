// Site: loads a configuration for the review of denials.

package gateway

import (
	"io"
	"time"

	"sallyport/denials"
)

// LoadSite reads a --config for queries that judge denials by its policy.
func LoadSite(file string, stdin io.Reader, now time.Time) (*denials.Site, error) {
	profiles, err := ShippedProfiles()
	if err != nil {
		return nil, err
	}
	sets, err := ShippedSets()
	if err != nil {
		return nil, err
	}
	name, dir, data, err := ReadConfig(file, stdin)
	if err != nil {
		return nil, err
	}
	s, err := denials.NewSite(denials.Source{
		File: name, Embedded: file == "", Disk: hostDisk(dir), Text: data, Profiles: profiles, Sets: sets, Now: now,
		Own: ownOf,
	})
	return s, StillRuns(err)
}
