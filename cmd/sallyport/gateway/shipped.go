// Shipped: the profiles and the sets of known denials inside the binary.

package gateway

import (
	"io/fs"

	"sallyport/configs"
	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

// ShippedProfiles returns the profiles inside the binary.
func ShippedProfiles() ([]*rules.Profile, error) {
	return shipped(configs.Profiles(), profile.Parse)
}

// ShippedSets returns the sets of known denials inside the binary.
func ShippedSets() ([]*rules.KnownSet, error) { return shipped(configs.Known(), site.ParseKnownSet) }

// shipped parses every file of a directory.
func shipped[T any](dir fs.FS, parse func(file string, data []byte) (T, error)) (out []T, err error) {
	names, err := fs.Glob(dir, "*.toml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		v, err := parse(name, data)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
