// Drops in a file: how the counters of the packet filter come from a process
// that may read them to the gateway, which has no capability for it.

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

// A dropFile is what "sallyport nft --counters" writes: the last reading of
// each load of the ruleset, so that a reload loses nothing that was read.
type dropFile struct {
	Schema   int       `json:"schema"` // 1
	Time     time.Time `json:"time"`
	Readings []Reading `json:"readings"`
}

// dropFileMax bounds the file: a full set of entries of 16 loads is less.
const dropFileMax = 64 << 20

// readDropFile reads what was written last.
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
		return dropFile{}, fmt.Errorf("%s: schema %d, and this version reads 1 only", path, out.Schema)
	}
	return out, nil
}

// ExportCounters is "sallyport nft --counters": one reading more in the file.
func ExportCounters(path string) error {
	r, err := newDropReader(0)
	if err != nil {
		return err
	}
	return exportDrops(r, path, time.Now())
}

// exportDrops adds a reading to the file. Without a ruleset it says the time
// only. A file that cannot be read begins anew: the counters of the ruleset
// that is loaded are whole.
func exportDrops(r *dropReader, path string, now time.Time) error {
	reading, err := r.read()
	if err != nil && !errors.Is(err, ErrNoTable) {
		return err
	}
	file, _ := readDropFile(path)
	file.Schema, file.Time = 1, now.UTC()
	if err == nil {
		file.Readings = keepReading(file.Readings, reading)
	}
	data, err := json.Marshal(file)
	if err != nil {
		return err
	}
	return replaceByName(path, data, 0o640)
}

// replaceByName writes a file beside path and renames it: who reads it reads
// the old one or the new one.
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
