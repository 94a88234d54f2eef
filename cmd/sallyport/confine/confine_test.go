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
// starts with every capability; else as that user with the ambient capabilities.
func confined(t *testing.T, uid uint32, change func(*order), ambient ...uintptr) (before, after report) {
	t.Helper()
	dir, err := os.MkdirTemp("", "confine") // not t.TempDir: another user must get there
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
	cmd.Env = []string{childMark + "=1", "GORACE=atexit_sleep_ms=0"} // a race detector waits a second else
	var said bytes.Buffer
	cmd.Stderr = &said
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
	talk := json.NewDecoder(stdout)
	step := func(send any, receive *report) {
		t.Helper()
		if err := json.NewEncoder(stdin).Encode(send); err != nil {
			t.Fatalf("%v\n%s", err, &said)
		}
		if err := talk.Decode(receive); err != nil && err != io.EOF {
			t.Fatalf("%v\n%s", err, &said)
		}
	}
	step(o, &before)
	must(os.WriteFile(o.Read+"/f.new", []byte("another file"), 0o755)) // as an editor does it
	must(os.Rename(o.Read+"/f.new", o.Read+"/f"))
	// Short of memory, a kernel forgets what nobody holds, and with it, in /proc,
	// what was granted. Where this may not be asked of it, nothing is lost.
	_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0)
	step("changed", &after)
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the child: %v\n%s", err, &said)
	}
	if text, err := os.ReadFile(o.Beyond + "/f"); after.State(Files) == On && (o.As == 0 || o.As >= 3) && string(text) != "as before" {
		t.Errorf("a file beyond is %q now: %v", text, err)
	}
	for name, covers := range after.Covers {
		if want := after.State(Files) != On || !strings.HasPrefix(name, o.Beyond); covers != want {
			t.Errorf("%s covered: %v", name, covers)
		}
	}
	return before, after
}

func (r report) State(step string) State { return (&Confinement{Steps: r.Steps}).State(step) }

// needLandlock ends a test where the kernel could not pass it.
func needLandlock(t *testing.T) {
	t.Helper()
	if v, why, err := landlockVersion(); err != nil || v < 6 {
		if os.Getenv("SALLYPORT_E2E") == "required" {
			t.Fatalf("SALLYPORT_E2E=required, but this kernel has Landlock %d, not 6: %s %v", v, why, err)
		}
		t.Skipf("skipped: this kernel has Landlock %d, not 6: %s %v", v, why, err)
	}
}

// needRoot ends a test that begins with capabilities.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SALLYPORT_E2E") == "required" {
			t.Fatal("SALLYPORT_E2E=required, but this test needs root, to have something to give up")
		}
		t.Skip("skipped: needs root, to have something to give up")
	}
}

// What must still work.
var works = []string{
	"read what was put in place", "make a file", "rename it", "truncate it", "remove it", "list the directory", "look at oneself",
	"listen on what port the kernel chooses", "connect by TCP", "open a socket for datagrams", "notify by the socket of before", "signal oneself",
}

// What Landlock must prevent, and with which error.
var landlocked = map[string]string{
	"write where one reads": "permission denied", "overwrite what one reads": "permission denied", "list where one reads": "permission denied",
	"make a directory": "permission denied", "make a link": "permission denied", "make a socket": "permission denied", "move a file out": "",
	"read beyond": "permission denied", "write beyond": "permission denied", "truncate beyond": "permission denied", "list beyond": "permission denied",
	"remove beyond": "permission denied", "read the parent's environment": "permission denied",
	"change oneself": "permission denied", "execute a program": "permission denied", "execute oneself": "permission denied", "execute what was written": "permission denied", "execute what one reads": "permission denied",
	"listen on TCP": "permission denied", "listen on TCP over IPv6": "permission denied",
	"reach an abstract socket": "operation not permitted", "signal the parent": "operation not permitted", "every thread is confined": "permission denied",
}

// What is prevented for want of a capability.
var privileged = []string{
	"listen on a low port", "open a raw socket", "open a packet socket", "become another", "give a file away", "mount", "make a device", "change the network",
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
			t.Errorf("nothing is expected of %q", name)
		}
	}
}

func checkStatus(t *testing.T, r report, want ...string) {
	t.Helper()
	if len(r.Status) < 5 { // the four that wait, and the main thread
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

// Root gives up everything, and with it what belongs to root.
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

// A user without privileges has nothing to drop, and is confined the same.
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

// For the live sets CAP_NET_ADMIN stays, and nothing else.
func TestNetAdminStays(t *testing.T) {
	needRoot(t)
	needLandlock(t)
	_, r := confined(t, 0, func(o *order) { o.Plan.NetAdmin = true })
	checkTries(t, r, true, "change the network")
	const admin = "0000000000001000"
	checkStatus(t, r, "CapInh:"+zero, "CapPrm:"+admin, "CapEff:"+admin, "CapBnd:"+zero, "CapAmb:"+zero, "NoNewPrivs:1")
}

// A service manager gives a user capabilities by the ambient set: there they
// would outlive an exec.
func TestAmbientCapabilitiesGo(t *testing.T) {
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
