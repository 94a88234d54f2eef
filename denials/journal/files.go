// Files: finds the files of a journal, with the rotated and compressed files.

package journal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Files lists the journal at path with its backups, made by us
// (denials-TIME-full.jsonl.gz) or by logrotate (denials.jsonl.1). It leaves out
// a backup that already has a complete compressed copy.
func Files(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	base := filepath.Base(path)
	ext := filepath.Ext(base)
	stem := strings.TrimSuffix(base, ext) + "-"
	var files []string
	for _, e := range entries {
		name := e.Name()
		plain := strings.TrimSuffix(name, ".gz")
		ours := strings.HasPrefix(name, stem) && strings.HasSuffix(plain, ext) && isBackup(plain[len(stem):])
		theirs := strings.HasPrefix(plain, base+".") && isNumber(plain[len(base)+1:]) ||
			strings.HasPrefix(plain, base+"-") && isNumber(plain[len(base)+1:])
		if e.Type().IsRegular() && (ours || theirs) {
			files = append(files, filepath.Join(filepath.Dir(path), name))
		}
	}
	files = slices.DeleteFunc(files, func(f string) bool { return slices.Contains(files, f+".gz") })
	if _, err := os.Stat(path); err == nil || len(files) == 0 {
		files = append(files, path)
	}
	return files, nil
}

// isBackup reports whether rest, the text after the stem, begins with a
// backup's time.
func isBackup(rest string) bool {
	const layout = "2006-01-02T15-04-05.000"
	if len(rest) <= len(layout) {
		return false
	}
	_, err := time.Parse(layout, rest[:len(layout)])
	return err == nil && rest[len(layout)] == '-'
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
