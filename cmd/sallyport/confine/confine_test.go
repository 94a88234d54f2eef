//go:build linux

// Tests of what a confined process can and cannot do.

package confine

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// confined runs a child with an order and returns its reports. With uid 0 the child
// starts with every capability. With another uid it starts with the ambient
// capabilities.
func confined(t *testing.T, uid uint32, change func(*order), ambient ...uintptr) (before, after report) {
	t.Helper()
	dir, err := os.MkdirTemp("", "confine") // not t.TempDir: another user must be able to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o := order{Inside: dir + "/inside", Read: dir + "/read", Beyond: dir + "/beyond", Socket: "@sallyport-confine-" + filepath.Base(dir)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(dir, 0o755))
	for _, d := range []string{o.Inside, o.Read, o.Beyond} {
		must(os.Mkdir(d, 0o755))
		must(os.WriteFile(d+"/f", []byte("as before"), 0o644))
		must(os.Chown(d, int(uid), int(uid)))
		must(os.Chown(d+"/f", int(uid), int(uid)))
	}
	self, err := os.Executable()
	must(err)
	binary := dir + "/child"
	data, err := os.ReadFile(self)
	must(err)
	must(os.WriteFile(binary, data, 0o755))

	peer, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer peer.Close()
	o.Peer = peer.Addr().String()
	notify, err := net.ListenPacket("unixgram", o.Socket)
	must(err)
	defer notify.Close()

	o.Plan.Files = append(ReadAgain(o.Read+"/f"), Grant{o.Inside, Change}, Grant{"/proc/self", List})
	if change != nil {
		change(&o)
	}
	cmd := exec.Command(binary)
	cmd.Env = []string{childMark + "=1", "GORACE=atexit_sleep_ms=0"} // the race detector would wait a second at exit
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != uint32(os.Getuid()) {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
		cmd.SysProcAttr.AmbientCaps = ambient
	}
	stdin, err := cmd.StdinPipe()
	must(err)
	stdout, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	answers := json.NewDecoder(stdout)
	step := func(send any, receive *report) {
		t.Helper()
		if err := json.NewEncoder(stdin).Encode(send); err != nil {
			t.Fatalf("%v\n%s", err, &stderr)
		}
		if err := answers.Decode(receive); err != nil && err != io.EOF {
			t.Fatalf("%v\n%s", err, &stderr)
		}
	}
	step(o, &before)
	must(os.WriteFile(o.Read+"/f.new", []byte("another file"), 0o755)) // as an editor saves a file
	must(os.Rename(o.Read+"/f.new", o.Read+"/f"))
	// A kernel that is short of memory drops unused inodes. For /proc it then also
	// drops the grants. This asks the kernel to do so; it may refuse.
	_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0)
	step("changed", &after)
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the child: %v\n%s", err, &stderr)
	}
	if text, err := os.ReadFile(o.Beyond + "/f"); after.State(Files) == On && (o.As == 0 || o.As >= 3) && string(text) != "as before" {
		t.Errorf("the ungranted file is %q now: %v", text, err)
	}
	for name, covers := range after.Covers {
		if want := after.State(Files) != On || !strings.HasPrefix(name, o.Beyond); covers != want {
			t.Errorf("%s covered: %v", name, covers)
		}
	}
	return before, after
}

func (r report) State(step string) State { return (&Confinement{Steps: r.Steps}).State(step) }

// needLandlock skips a test if the kernel's Landlock is too old for it.
func needLandlock(t *testing.T) {
	t.Helper()
	if v, why, err := landlockVersion(); err != nil || v < 6 {
		if os.Getenv("SALLYPORT_E2E") == "required" {
			t.Fatalf("SALLYPORT_E2E=required, but this kernel has Landlock %d, not 6: %s %v", v, why, err)
		}
		t.Skipf("skipped: this kernel has Landlock %d, not 6: %s %v", v, why, err)
	}
}

// needRoot skips a test that starts with capabilities, unless root runs it.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SALLYPORT_E2E") == "required" {
			t.Fatal("SALLYPORT_E2E=required, but this test needs root: it starts with capabilities")
		}
		t.Skip("skipped: needs root: the test starts with capabilities")
	}
}

// works lists the tries that must succeed.
var works = []string{
	"read a replaced file", "make a file", "rename it", "truncate it", "remove it", "list the directory", "list own descriptors",
	"listen on a port that the kernel chooses", "connect by TCP", "open a socket for datagrams", "send on an earlier socket", "signal own process",
}

// landlocked lists the tries that Landlock must prevent, with the error of each.
var landlocked = map[string]string{
	"create a file in a readable directory": "permission denied", "overwrite a readable file": "permission denied", "list a readable directory": "permission denied",
	"make a directory": "permission denied", "make a link": "permission denied", "make a socket": "permission denied", "move a file to an ungranted directory": "",
	"read an ungranted file": "permission denied", "create an ungranted file": "permission denied", "truncate an ungranted file": "permission denied", "list an ungranted directory": "permission denied",
	"remove an ungranted file": "permission denied", "read the parent's environment": "permission denied",
	"change own process name": "permission denied", "execute a program": "permission denied", "execute own binary": "permission denied", "execute a written file": "permission denied", "execute a readable file": "permission denied",
	"listen on TCP": "permission denied", "listen on TCP over IPv6": "permission denied",
	"reach an abstract socket": "operation not permitted", "signal the parent": "operation not permitted", "every thread is confined": "permission denied",
}

// privileged lists the tries that fail without a capability.
var privileged = []string{
	"listen on a low port", "open a raw socket", "open a packet socket", "change the user", "change the owner of a file", "mount", "make a device", "change the network",
}

func checkTries(t *testing.T, r report, landlock bool, except ...string) {
	t.Helper()
	tried := map[string]bool{}
	for _, name := range works {
		tried[name] = true
		if e, ok := r.Tries[name]; e != "" || !ok {
			t.Errorf("%s: %q, tried: %v", name, e, ok)
		}
	}
	for name, want := range landlocked {
		tried[name] = true
		if e := r.Tries[name]; landlock && (e == "" || !strings.Contains(e, want)) {
			t.Errorf("%s: got %q, want %q", name, e, want)
		}
	}
	for _, name := range privileged {
		tried[name] = true
		if e := r.Tries[name]; (e == "") != slices.Contains(except, name) {
			t.Errorf("%s: %q", name, e)
		}
	}
	for name := range r.Tries {
		if !tried[name] {
			t.Errorf("no list has the try %q", name)
		}
	}
}

func checkStatus(t *testing.T, r report, want ...string) {
	t.Helper()
	if len(r.Status) < 5 { // the four of startThreads, and the main thread
		t.Errorf("only %d threads", len(r.Status))
	}
	for _, status := range r.Status {
		for _, line := range want {
			if !slices.Contains(strings.Fields(status), line) {
				t.Errorf("a thread has %s, want %s", status, line)
			}
		}
	}
}

const zero = "0000000000000000"

// A process of root gives up every capability, and so the access to root's files.
func TestRootIsConfined(t *testing.T) {
	needRoot(t)
	needLandlock(t)
	before, r := confined(t, 0, nil)
	for _, name := range []string{Capabilities, NoNewPrivs, Files, TCPBind, Scopes} {
		if before.State(name) != On {
			t.Errorf("steps: %v", before.Steps)
		}
	}
	checkTries(t, r, true)
	checkStatus(t, r, "CapInh:"+zero, "CapPrm:"+zero, "CapEff:"+zero, "CapBnd:"+zero, "CapAmb:"+zero, "NoNewPrivs:1")
}

// A process of an unprivileged user has no capability to drop. It gets the same
// confinement.
func TestUserIsConfined(t *testing.T) {
	needLandlock(t)
	uid := uint32(os.Getuid())
	if uid == 0 {
		uid = 65534
	}
	_, r := confined(t, uid, nil)
	checkTries(t, r, true)
	checkStatus(t, r, "CapInh:"+zero, "CapPrm:"+zero, "CapEff:"+zero, "CapAmb:"+zero, "NoNewPrivs:1")
}

// If the plan has live sets, the process keeps CAP_NET_ADMIN and no other capability.
func TestNetAdminStays(t *testing.T) {
	needRoot(t)
	needLandlock(t)
	_, r := confined(t, 0, func(o *order) { o.Plan.NetAdmin = true })
	checkTries(t, r, true, "change the network")
	const admin = "0000000000001000"
	checkStatus(t, r, "CapInh:"+zero, "CapPrm:"+admin, "CapEff:"+admin, "CapBnd:"+zero, "CapAmb:"+zero, "NoNewPrivs:1")
}

// A service manager gives capabilities to a user through the ambient set. They
// would survive an exec, so the confinement clears them.
func TestAmbientCapabilitiesAreDropped(t *testing.T) {
	needRoot(t)
	needLandlock(t)
	given := []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}
	_, r := confined(t, 65534, nil, given...)
	checkTries(t, r, true)
	checkStatus(t, r, "CapInh:"+zero, "CapPrm:"+zero, "CapEff:"+zero, "CapAmb:"+zero, "NoNewPrivs:1")
	_, r = confined(t, 65534, func(o *order) { o.Plan.NetAdmin = true }, given...)
	const admin = "0000000000001000"
	checkStatus(t, r, "CapInh:"+zero, "CapPrm:"+admin, "CapEff:"+admin, "CapAmb:"+zero, "NoNewPrivs:1")
}
