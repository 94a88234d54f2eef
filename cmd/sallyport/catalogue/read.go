// Read: finds a profile by its name or its file.

package catalogue

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules"
	"sallyport/rules/profile"
)

// readProfile returns the profile with a name, or the profile in a file. A text with a
// slash or the ending .toml is a file. known are the profiles of a configuration; nil: the
// shipped ones.
func readProfile(arg string, known []*rules.Profile) (*rules.Profile, error) {
	if known == nil {
		var err error
		if known, err = gateway.ShippedProfiles(); err != nil {
			return nil, err
		}
	}
	if i := slices.Index(profileNames(known), arg); i >= 0 {
		return known[i], nil
	}
	if !strings.Contains(arg, "/") && !strings.HasSuffix(arg, ".toml") {
		return nil, fmt.Errorf("there is no profile %q; the profiles are %s; --config FILE adds the profiles of a configuration, and a name that ends in .toml or has a / is a file", arg, strings.Join(profileNames(known), ", "))
	}
	data, err := readWhole(arg, nil, profile.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; the known profiles are %s", err, strings.Join(profileNames(known), ", "))
	}
	if err != nil {
		return nil, err
	}
	return profile.Parse(arg, data)
}
