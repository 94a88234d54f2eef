// Read: finds a profile by its name or its file.

package catalogue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules"
	"sallyport/rules/profile"
)

// readProfile returns the shipped profile with a name, or the profile in a file. A text
// with a slash or the ending .toml is a file.
func readProfile(arg string) (*rules.Profile, error) {
	shipped, err := gateway.ShippedProfiles()
	if err != nil {
		return nil, err
	}
	if !strings.Contains(arg, "/") && !strings.HasSuffix(arg, ".toml") {
		i := slices.Index(profileNames(shipped), arg)
		if i < 0 {
			return nil, fmt.Errorf("there is no profile %q; there are %s; a file is given as FILE.toml or ./FILE", arg, strings.Join(profileNames(shipped), ", "))
		}
		return shipped[i], nil
	}
	data, err := os.ReadFile(arg)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; the shipped profiles are %s", err, strings.Join(profileNames(shipped), ", "))
	}
	if err != nil {
		return nil, err
	}
	return profile.Parse(arg, data)
}
