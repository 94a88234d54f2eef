// Embed: the configurations and profiles inside the binary.

// Package configs holds the data that the binary carries: the vendors'
// profiles, the sets of known denials, the default configuration and the reference of every key.
//
// Every rule of a profile was typed from a row of the vendor's document, and every row has
// its rule; tests check both. Packages rules/profile and rules/site read these texts.
package configs

import (
	"embed"
	"io/fs"
)

//go:embed profiles/*.toml
var profiles embed.FS

//go:embed known/*.toml
var known embed.FS

//go:embed sallyport.toml
var defaults string

//go:embed reference.toml
var reference string

// Profiles returns the directory of shipped profiles: NAME.toml for each product.
func Profiles() fs.FS { return below(profiles, "profiles") }

// Known returns the directory of shipped sets of known denials: NAME.toml for each set.
func Known() fs.FS { return below(known, "known") }

func below(files embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // dir is a constant and valid
	}
	return sub
}

// Default returns the configuration for an operator who gives none.
func Default() []byte { return []byte(defaults) }

// Reference returns a configuration that shows every key with its default.
func Reference() []byte { return []byte(reference) }
