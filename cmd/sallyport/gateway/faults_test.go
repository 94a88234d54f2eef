// Tests of the faults of the files that a configuration names: all are reported at once, each with
// its line, also if the configuration has other errors.

package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sallyport/configs"
)

// namedFiles is a configuration that names a file with every key that can name one. The last line
// has an error of another kind.
const namedFiles = `[profiles]
paths = ["f/profiles", "f/profile.toml"]
[listen]
https = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
tls_cert = "f/tls_cert"
tls_key = "f/tls_key"
client_ca = "f/client_ca"
client_crl = "f/client_crl"
[admin]
token_file = "f/token_file"
tls_cert = "f/admin_cert"
tls_key = "f/admin_key"
[dns]
upstreams_ca = "f/upstreams_ca"
synthetic = ["fd53:1::/64"]
synthetic_secret_file = "f/synthetic_secret_file"
[[parent]]
name = "p"
url = "https://192.0.2.1:3129"
auth_file = "f/auth_file"
ca = "f/parent_ca"
cert = "f/parent_cert"
key = "f/parent_key"
[[sink]]
type = "syslog"
url = "tls://192.0.2.2:6514"
ca = "f/sink_ca"
cert = "f/sink_cert"
key = "f/sink_key"
[[client]]
name = "c"
sources = ["10.1.2.3"]
users_file = "f/users_file"
profiles = []
[[rule]]
id = "r"
client = "c"
to_files = [
  "f/to_files_1",
  "f/to_files_2",
]
tcp = [443]
reason = "T"
[[known]]
host = "a.example"
`

// namedKeys are the keys of namedFiles: the line, the file and whether it is secret.
var namedKeys = []struct {
	line      int
	key, file string
	secret    bool
}{
	{2, "[profiles] paths", "profiles", false}, {2, "[profiles] paths", "profile.toml", false},
	{6, "[listen] tls_cert", "tls_cert", false}, {7, "[listen] tls_key", "tls_key", true},
	{8, "[listen] client_ca", "client_ca", false}, {9, "[listen] client_crl", "client_crl", false},
	{11, "[admin] token_file", "token_file", true}, {12, "[admin] tls_cert", "admin_cert", false}, {13, "[admin] tls_key", "admin_key", true},
	{15, "[dns] upstreams_ca", "upstreams_ca", false}, {17, "[dns] synthetic_secret_file", "synthetic_secret_file", true},
	{21, "[[parent]] auth_file", "auth_file", true}, {22, "[[parent]] ca", "parent_ca", false}, {23, "[[parent]] cert", "parent_cert", false}, {24, "[[parent]] key", "parent_key", true},
	{28, "[[sink]] ca", "sink_ca", false}, {29, "[[sink]] cert", "sink_cert", false}, {30, "[[sink]] key", "sink_key", true},
	{34, "[[client]] users_file", "users_file", true},
	{40, "[[rule]] to_files", "to_files_1", false}, {41, "[[rule]] to_files", "to_files_2", false},
}

// check, start and reload report every file that others can change or read, beside the errors of
// its content and of the configuration.
func TestFaultsOfFilesAreReportedAtOnce(t *testing.T) {
	_, in := keptTree(t)
	for _, k := range namedKeys {
		path := in("conf/f/" + k.file)
		if k.file == "profiles" {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte("?\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o666)
		if k.file == "profiles" {
			mode = 0o777
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	file := in("conf/site.toml")
	if err := os.WriteFile(file, []byte(namedFiles), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, policy, problems, err := LoadToCheck(file, nil)
	if err != nil || policy != nil || problems.Err() == nil {
		t.Fatalf("%v, policy %v, problems %v", err, policy, problems)
	}
	check := append(problems, ThisKeeper().CheckPermissions(cfg, file)...).Error()
	_, _, err = NewSource(file, nil).LoadToRun()
	for what, got := range map[string]string{"check": check, "run": fmt.Sprint(err)} {
		if want := file + ":45: the 1st [[known]]: why is missing"; !strings.Contains(got, want) {
			t.Errorf("%s: %s is missing in\n%s", what, want, got)
		}
		for _, k := range namedKeys {
			at := fmt.Sprintf("%s:%d: %s: every user of this host can ", file, k.line, k.key)
			path := in("conf/f/" + k.file)
			want := []string{at + "write it, because " + path + " has mode 0666: chmod go-w " + path}
			switch {
			case k.file == "profiles":
				want = []string{at + "put files there, as " + path + " has mode 0777: chmod go-w " + path}
			case k.secret:
				want = append(want, at+"read this secret, because "+path+" has mode 0666: chmod o-rwx "+path)
			}
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%s: %s is missing in\n%s", what, w, got)
				}
			}
		}
	}
}

// A key that names a file is in the table above.
func TestEveryKeyOfAFileIsInTheTable(t *testing.T) {
	keys := regexp.MustCompile(`(?m)^#?(\w+_files?|paths|\w+_(?:ca|crl|cert|key)|ca|cert|key) *=`)
	var have []string
	for _, k := range namedKeys {
		have = append(have, k.key[strings.IndexByte(k.key, ' ')+1:])
	}
	found := keys.FindAllStringSubmatch(string(configs.Reference()), -1)
	if len(found) < 15 {
		t.Errorf("the reference has %d keys of files", len(found))
	}
	for _, m := range found {
		if !slices.Contains(have, m[1]) {
			t.Errorf("%s names a file, and its permissions are not tested", m[1])
		}
	}
}

// A file that only another user may read is an error for a process that serves, also beside other
// errors.
func TestUnreadableFilesAreReportedWithOtherErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "site.toml")
	if err := os.WriteFile(file, []byte(namedFiles), 0o644); err != nil {
		t.Fatal(err)
	}
	_, problems, err := surveyConfig(file, nil, lockedFiles{})
	if err != nil {
		t.Fatal(err)
	}
	got := problems.ToServe().Error()
	for _, k := range namedKeys {
		if strings.HasPrefix(k.key, "[admin]") { // check and run read these files when they open the admin listener
			continue
		}
		_, key, _ := strings.Cut(k.key, " ")
		if want := fmt.Sprintf("%s:%d: %s: %s: permission denied", file, k.line, key, filepath.Join(filepath.Dir(file), "f", k.file)); !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

// lockedFiles are files that this user may not read.
type lockedFiles struct{}

func (lockedFiles) Read(path string, _ int) ([]byte, error) {
	return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrPermission}
}

func (lockedFiles) List(path, _ string) ([]string, error) {
	return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrPermission}
}
