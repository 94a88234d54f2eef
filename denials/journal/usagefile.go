// Usage file: keeps the usage across restarts.

package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// UsagePath returns the path of a journal's usage file. It returns "" if there
// is none, because the journal is not a file.
func UsagePath(journal string) string {
	if journal == "" || journal == "-" {
		return ""
	}
	return journal + ".usage.json"
}

// usageSchema is the version of the file.
const usageSchema = 1

type usageJSON struct {
	Schema int       `json:"schema"`
	Config string    `json:"config,omitempty"` // the configuration of the gateway that counts
	Since  time.Time `json:"since"`
	Uses   []useJSON `json:"uses"`
}

type useJSON struct {
	Client  string    `json:"client"`
	Rule    string    `json:"rule"`
	Count   uint64    `json:"count"`
	Lookups uint64    `json:"lookups,omitempty"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// OpenUsage continues the counts of the file at path. If path is "", the counts
// are in memory only. config names the configuration that the gateway serves: counts of
// another one are not continued, because their rules and their beginning are not those of this
// gateway. Such a file and a damaged file are renamed and logged, because counting must
// never keep a gateway from starting. now may be nil.
func OpenUsage(path, config string, now func() time.Time, log *slog.Logger) *Usage {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	u := &Usage{path: path, config: config, now: now, log: log, cells: map[useKey]*useCell{}, since: now().UTC()}
	u.forget()
	if path == "" {
		return u
	}
	st, err := ReadUsage(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		log.Error("usage: the file is damaged; counting starts again, and the damaged file is kept", "error", err, "kept", path+".damaged")
		u.keep(".damaged")
	case st.Config != "" && config != "" && st.Config != config:
		log.Warn("usage: the file has the counts of another configuration; counting starts again, and the old counts are kept", "counted", st.Config, "configuration", config, "kept", path+".other")
		u.keep(".other")
	default:
		u.restore(st)
	}
	return u
}

// keep renames the file that is not continued.
func (u *Usage) keep(ending string) {
	if err := os.Rename(u.path, u.path+ending); err != nil {
		u.log.Error("usage: cannot keep the old file", "error", err)
	}
}

func (u *Usage) restore(st UsageState) {
	u.since = st.Since
	for _, s := range st.Uses[:min(len(st.Uses), usesMax)] {
		c := new(useCell)
		c.count.Store(s.Count)
		c.lookups.Store(s.Lookups)
		c.first.Store(s.First.UnixNano())
		c.last.Store(s.Last.UnixNano())
		u.cells[useKey{s.Client, s.Rule}] = c
	}
}

// State returns the counts so far.
func (u *Usage) State() UsageState {
	u.mu.Lock()
	defer u.mu.Unlock()
	st := UsageState{Since: u.since}
	for k, c := range u.cells {
		if n, l := c.count.Load(), c.lookups.Load(); n+l > 0 {
			st.Uses = append(st.Uses, Use{k.client, k.rule, n, l, time.Unix(0, c.first.Load()).UTC(), time.Unix(0, c.last.Load()).UTC()})
		}
	}
	slices.SortFunc(st.Uses, func(a, b Use) int { return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Rule, b.Rule)) })
	return st
}

// Run saves the counts every minute until ctx ends. After that, the caller must
// call Save once more.
func (u *Usage) Run(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := u.Save(); err != nil {
				u.log.Error("usage: not saved", "error", err)
			}
		}
	}
}

// Save writes a new file if the counts have changed. After a crash, the file is
// either the old file or the new file.
func (u *Usage) Save() error {
	u.forget()
	if u.path == "" {
		return nil
	}
	u.saving.Lock()
	defer u.saving.Unlock()
	st := u.State()
	out := usageJSON{Schema: usageSchema, Config: u.config, Since: st.Since, Uses: []useJSON{}}
	for _, s := range st.Uses {
		out.Uses = append(out.Uses, useJSON(s))
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err != nil || string(data) == u.saved {
		return err
	}
	if err := ReplaceFile(u.path, append(data, '\n')); err != nil {
		return fmt.Errorf("usage: %w", err)
	}
	u.saved = string(data)
	return nil
}

// ReplaceFile writes a temporary file in the directory of path and renames it to
// path.
func ReplaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// ReadUsage reads a usage file.
func ReadUsage(path string) (UsageState, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return UsageState{}, err
	}
	var in usageJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return UsageState{}, fmt.Errorf("%s: %w", path, err)
	}
	if in.Schema != usageSchema || in.Since.IsZero() {
		return UsageState{}, fmt.Errorf("%s: not a usage file of this version", path)
	}
	st := UsageState{Config: in.Config, Since: in.Since}
	for _, s := range in.Uses {
		st.Uses = append(st.Uses, Use(s))
	}
	return st, nil
}
