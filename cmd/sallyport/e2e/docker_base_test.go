//go:build linux

// Base image: it replaces the images of a registry. The tests make it from this
// machine's own Go, nft and clients, so that the images build without any network.

package e2e

import (
	"archive/tar"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// baseImage is the name of the base image. The builds use it in place of every
// other image.
const baseImage = "sallyport-e2e/base"

// basePrograms are the programs that the builds, the scripts and the tries in
// containers run.
var basePrograms = []string{
	"sh", "mkdir", "cp", "chown", "sleep", "cat", "ls", "nft", "ip", "curl", "dig", "setpriv", "unshare", "id", "env",
}

// importBase makes the image from one stream that docker import reads.
func (d *daemon) importBase(t *testing.T) {
	t.Helper()
	modules := moduleFiles(t)
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := writeBase(t, w, modules, d.ca.file)
		w.CloseWithError(err)
		written <- err
	}()
	cmd := command(t.Context(), d.dir, d.client, "import",
		"--change", "ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOMODCACHE=/go/pkg/mod GOPROXY=off GOTOOLCHAIN=local",
		"-", baseImage)
	cmd.Env = append(cmd.Env, "DOCKER_HOST="+d.host())
	cmd.Stdin = r
	var out []byte
	err := d.gateway.do(func() (err error) { out, err = cmd.CombinedOutput(); return err })
	r.Close()
	if werr := <-written; err != nil || werr != nil {
		t.Fatalf("docker import: %v %v\n%s", err, werr, out)
	}
}

// moduleFiles lists the files that "go mod download" needs in the module cache.
func moduleFiles(t *testing.T) (files []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json")
	cmd.Dir = repository
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod download: %v\n%s", err, out)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var m struct{ Info, GoMod, Zip string }
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		files = append(files, m.Info, m.GoMod, m.Zip, strings.TrimSuffix(m.Zip, ".zip")+".ziphash")
	}
	return files
}

// moduleGraph lists the go.mod files of the cache, which are all small. Go also
// reads the go.mod files of modules that it does not build.
func moduleGraph(cache string) (files []string) {
	_ = filepath.WalkDir(filepath.Join(cache, "cache", "download"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".mod") {
			files = append(files, path)
		}
		return err
	})
	return files
}

// repository is the root of the source, as seen from this package's directory.
const repository = "../../.."

// writeBase writes the only layer of the image.
func writeBase(t *testing.T, w io.Writer, modules []string, authority string) error {
	b := &layer{w: tar.NewWriter(w), has: make(map[string]bool)}
	for _, dir := range []string{"tmp", "etc", "bin", "root"} {
		b.dir(dir)
	}
	for _, name := range basePrograms {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err != nil {
			return err
		}
		b.program(path)
		if name == "sh" {
			b.file(path, "bin/sh")
		} else if filepath.Base(path) != name {
			b.file(path, "usr/bin/"+name)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b.program(self)
	b.file(self, "probe")
	b.file(authority, "etc/ssl/certs/ca-certificates.crt") // the CA bundle: the lab has only one authority
	b.file("/etc/nsswitch.conf", "etc/nsswitch.conf")
	places, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return err
	}
	root, cache, _ := strings.Cut(strings.TrimSpace(string(places)), "\n")
	b.goTree(root)
	for _, file := range append(modules, moduleGraph(cache)...) {
		b.file(file, "go/pkg/mod"+strings.TrimPrefix(file, cache))
	}
	if b.err != nil {
		return b.err
	}
	return b.w.Close()
}

// layer writes files into a tar stream, each once, and keeps the first error.
type layer struct {
	w   *tar.Writer
	has map[string]bool
	err error
}

func (l *layer) dir(name string) {
	if name == "." || l.has[name] || l.err != nil {
		return
	}
	l.dir(filepath.Dir(name))
	l.has[name] = true
	mode := int64(0o755)
	if name == "tmp" {
		mode = 0o1777
	}
	l.err = l.w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode})
}

// file copies a file of this machine; symbolic links are followed.
func (l *layer) file(path, name string) {
	l.dir(filepath.Dir(name))
	if l.err != nil || l.has[name] {
		return
	}
	l.has[name] = true
	f, err := os.Open(path)
	if err != nil {
		l.err = err
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = l.w.WriteHeader(&tar.Header{Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size()})
	}
	if err == nil {
		_, err = io.Copy(l.w, f)
	}
	l.err = err
}

var libraryPath = regexp.MustCompile(`/\S+`)

// program copies an executable and the libraries that it is linked with.
func (l *layer) program(path string) {
	l.file(path, strings.TrimPrefix(path, "/"))
	out, err := exec.Command("ldd", path).Output()
	if err != nil {
		return // a static executable
	}
	for line := range strings.Lines(string(out)) {
		if lib := libraryPath.FindString(line); lib != "" {
			l.file(lib, strings.TrimPrefix(lib, "/"))
		}
	}
}

// goTree copies the toolchain, except for the files that no build reads.
func (l *layer) goTree(root string) {
	skip := map[string]bool{"test": true, "doc": true, "api": true, "misc": true}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if e.IsDir() && (skip[rel] || e.Name() == "testdata") {
			return fs.SkipDir
		}
		if e.Type().IsRegular() && !strings.HasSuffix(rel, "_test.go") {
			l.file(path, "usr/local/go/"+rel)
		}
		return l.err
	})
	if l.err == nil {
		l.err = err
	}
}
