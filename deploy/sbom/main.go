// Command sbom prints the software bill of materials of a built binary, as
// CycloneDX JSON. It reads the list of linked modules from the binary. Equal
// binaries and an equal SOURCE_DATE_EPOCH give equal bytes.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// run describes the binary args[0], released as version args[1].
func run(args []string, epoch string, stdout io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: sbom BINARY VERSION")
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(args[0])
	if err != nil {
		return err
	}
	bom := describe(info, sha256.Sum256(data), args[1])
	bom.Metadata.Timestamp = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	return cdx.NewBOMEncoder(stdout, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
}

// describe returns the bill of materials: the standard library and every module
// that is linked into the binary.
func describe(info *debug.BuildInfo, sum [sha256.Size]byte, version string) *cdx.BOM {
	self := cdx.Component{
		BOMRef: "sallyport", Type: cdx.ComponentTypeApplication, Name: "sallyport", Version: version,
		PackageURL: "pkg:golang/sallyport@" + version + "?goos=" + setting(info, "GOOS") + "&goarch=" + setting(info, "GOARCH"),
		Hashes:     sha256Hash(sum[:]),
	}
	components := []cdx.Component{library("std", info.GoVersion, nil)}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		var hash []byte
		if text, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
			hash, _ = base64.StdEncoding.DecodeString(text)
		}
		components = append(components, library(m.Path, m.Version, hash))
	}
	var refs []string
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &self}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: self.BOMRef, Dependencies: &refs}}
	return bom
}

// library returns the component of a module or of the standard library.
func library(path, version string, hash []byte) cdx.Component {
	url := "pkg:golang/" + path + "@" + version
	return cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url, Hashes: sha256Hash(hash)}
}

// sha256Hash returns a hash in the form of CycloneDX, or nil if sum is empty.
// sum is the hash of a file, or of a module as in go.sum.
func sha256Hash(sum []byte) *[]cdx.Hash {
	if len(sum) == 0 {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
}

// setting returns a build setting of the binary, or "" if it has none.
func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
