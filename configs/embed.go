// Embed: the configurations and profiles that travel inside the binary.

// Package configs holds the data that the binary carries: the vendors'
// profiles, the default configuration and the reference of every key.
//
// It promises that every rule of a profile was typed from a row of the
// vendor's document, and that every row has its rule; tests hold both. It
// refuses to interpret anything: package rules reads these texts.
package configs

import (
	"embed"
	"io/fs"
)

//go:embed profiles/*.toml
var profiles embed.FS

//go:embed sallyport.toml
var defaults string

//go:embed reference.toml
var reference string

// Profiles returns the directory of shipped profiles, one NAME.toml each.
func Profiles() fs.FS {
	sub, err := fs.Sub(profiles, "profiles")
	if err != nil {
		panic(err) // the path is a constant and valid
	}
	return sub
}

// Default returns the configuration that is in force where the operator gives
// none.
func Default() []byte { return []byte(defaults) }

// Reference returns a configuration that shows every key with its default.
func Reference() []byte { return []byte(reference) }
