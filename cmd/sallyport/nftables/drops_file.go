// Drop file: a process that may read the counters of the packet filter writes them
// to this file for the gateway, which has no capability for that.

package nftables

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// A dropFile is the file that "sallyport nft --counters" writes: the last
// reading of each load of the ruleset, so that a reload loses no reading.
type dropFile struct {
	Schema   int       `json:"schema"` // 1
	Time     time.Time `json:"time"`
	Readings []Reading `json:"readings"`
}

// dropFileMax is the largest accepted file. 16 loads with full sets are smaller.
const dropFileMax = 64 << 20

// readDropFile reads the file.
func readDropFile(path string) (dropFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return dropFile{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, dropFileMax+1))
	if err != nil {
		return dropFile{}, err
	}
	if len(data) > dropFileMax {
		return dropFile{}, fmt.Errorf("%s: more than %d bytes", path, dropFileMax)
	}
	var out dropFile
	if err := json.Unmarshal(data, &out); err != nil {
		return dropFile{}, fmt.Errorf("%s: %w", path, err)
	}
	if out.Schema != 1 {
		return dropFile{}, fmt.Errorf("%s: schema %d, but this version reads schema 1 only", path, out.Schema)
	}
	return out, nil
}

// ExportCounters reads the counters of the kernel and adds the reading to a file.
func ExportCounters(path string) error {
	r, err := newDropReader(0)
	if err != nil {
		return err
	}
	return exportDrops(r, path, time.Now())
}

// exportDrops adds a reading to the file. If no ruleset is loaded it writes the
// time only. A file that cannot be read is replaced; this loses nothing, because the
// counters of the loaded ruleset are complete.
func exportDrops(r *dropReader, path string, now time.Time) error {
	reading, err := r.read()
	if err != nil && !errors.Is(err, ErrNoTable) {
		return err
	}
	file, _ := readDropFile(path)
	file.Schema, file.Time = 1, now.UTC()
	if err == nil {
		file.Readings = replaceReading(file.Readings, reading)
	}
	data, err := json.Marshal(file)
	if err != nil {
		return err
	}
	return replaceByName(path, data, 0o640)
}

// replaceByName writes a file beside path and renames it, so that a reader gets
// either the old file or the new one.
func replaceByName(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
