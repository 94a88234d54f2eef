//go:build linux

// Sidecar stack: application, gateway and packet filter in one namespace, which
// a fourth container owns.

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sixToo is the part that a site with IPv6 adds.
const sixToo = `
networks:
  outside:
    enable_ipv6: true
    ipam:
      config:
        - subnet: 172.31.78.0/24
        - subnet: ` + containers6 + `
`

// The services of the stack.
const (
	sidecarApp   = "sidecar-application"
	sidecarGate  = "sidecar-sallyport"
	sidecarOwner = "sidecar-namespace"
)

// testSidecar runs the stack unchanged, and once more with IPv6.
func (d *daemon) testSidecar(t *testing.T) {
	t.Run("as it is", d.testSidecarPage)
	t.Run("with IPv6", d.testSidecarForbidden)
}

func (d *daemon) testSidecarPage(t *testing.T) {
	s := d.newStack(t, "sidecar", "deploy/sidecar.md", "")
	s.edit(t, "deploy/compose/sidecar/sallyport.toml", "192.0.2.53", resolver4)
	s.readmeStart(t)
	s.mustReach(t, sidecarApp)
	owner := s.container(t, sidecarOwner)
	s.start(t)
	if now := s.container(t, sidecarOwner); now != owner {
		t.Error("the page's commands make another stack than the README's")
	}
	s.mustBeBare(t, sidecarOwner, false)
	s.mustBeBare(t, sidecarGate, true)
	s.mustBeBare(t, sidecarApp, false)
	s.mustReach(t, sidecarApp)
	s.follow(t, "Try it")
	s.follow(t, "After a change")
	s.mustReach(t, sidecarApp)
	s.mustStartAtBoot(t)
	s.testRestarts(t)
	s.page.done(t, map[string]string{"./sallyport check": "TestSidecarHost", "./install.sh": "TestSidecarHost", "sallyport healthcheck": "TestSidecarHost"}, nil)
}

// mustStartAtBoot checks that the unit does the same as the page's commands.
func (s *stack) mustStartAtBoot(t *testing.T) {
	t.Helper()
	need(t, "systemd-analyze")
	unit := repositoryFile(t, "deploy/compose/sallyport-sidecar.service")
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.page.section(t, "Start again") {
		if !strings.Contains(string(text), "\nExecStart=/usr/bin/"+c.line+"\n") {
			t.Errorf("the unit does not run %q", c.line)
		}
	}
	if r := s.tool(t, "", nil, "systemd-analyze", "verify", unit); r.code != 0 {
		t.Errorf("%v", r)
	}
}

// testRestarts starts the containers again in the worst order: first the namespace,
// then the containers in it. No packet may get out, and the commands of the page
// must repair the stack.
func (s *stack) testRestarts(t *testing.T) {
	t.Helper()
	for _, service := range []string{sidecarApp, sidecarGate} {
		s.must(t, "restart", "-t", "1", s.container(t, service))
		s.waitHealthy(t, s.container(t, sidecarGate))
		s.mustReach(t, sidecarApp)
	}
	mark := s.rec.mark(t)
	s.docker(t, "restart", "-t", "0", s.container(t, sidecarOwner))
	for range 3 {
		for _, service := range []string{sidecarGate, sidecarApp} {
			if r := s.docker(t, "restart", "-t", "0", s.container(t, service)); r.code == 0 {
				t.Errorf("%s starts although the namespace went: %v", service, r)
			}
		}
	}
	try{}.check(t, s.scene, s.rec.everything(t, mark))
	if r := s.docker(t, "logs", s.container(t, sidecarOwner)); !strings.Contains(r.stderr, "--force-recreate") {
		t.Errorf("the log does not tell the cure: %v", r)
	}
	s.follow(t, "Start again")
	s.mustReach(t, sidecarApp)

	mark = s.rec.mark(t)
	s.reboot(t)
	for _, service := range []string{sidecarOwner, sidecarGate, sidecarApp} {
		if s.inspect(t, s.container(t, service)).State.Running {
			t.Errorf("after a reboot %s runs, although no ruleset was loaded", service)
		}
	}
	s.follow(t, "Start again")
	s.mustReach(t, sidecarApp)
	try{}.check(t, s.scene, slices.DeleteFunc(s.rec.everything(t, mark), func(p packet) bool { return s.documented()[p.dst] }))
}

func (d *daemon) testSidecarForbidden(t *testing.T) {
	s := d.newStack(t, "sidecar", "deploy/sidecar.md", sixToo)
	s.edit(t, "deploy/compose/sidecar/sallyport.toml",
		`["127.0.0.1:3129"]`, `["127.0.0.1:3129", "[::1]:3129"]`, `["127.0.0.1:5300"]`, `["127.0.0.1:5300", "[::1]:5300"]`)
	host := d.listenOnHost(t)
	s.start(t)
	bridge := s.bridge(t, "sallyport_outside")
	s.withControl(t, func(control string) { s.mustEscape(t, control, d.escapes(bridge, "control6"), host) })
	s.mustNotEscape(t, s.container(t, sidecarApp), d.escapes(bridge, "shut6"), host)
	s.mustNotFindAdmin(t, sidecarApp)
	s.mustKeepRules(t)
	s.mustNotOpenVsock(t, sidecarApp)

	s.kill(t, sidecarGate)
	s.mustNotEscape(t, s.container(t, sidecarApp), d.escapes(bridge, "killed6"), host)
	s.mustNotReach(t, sidecarApp)
	s.must(t, "restart", "-t", "0", s.container(t, sidecarApp)) // alone in the namespace
	s.mustNotEscape(t, s.container(t, sidecarApp), d.escapes(bridge, "alone6"), host)
	s.revive(t, sidecarGate)
	s.mustReach(t, sidecarApp)
	s.mustNotEscape(t, s.container(t, sidecarApp), d.escapes(bridge, "revived6"), host)
}

// start brings the stack up as the page says.
func (s *stack) start(t *testing.T) {
	t.Helper()
	s.follow(t, "Start", "10.0.0.53", resolver4, registryImage, baseImage)
}

// edit changes a file as a reader of the page would.
func (s *stack) edit(t *testing.T, name string, oldnew ...string) {
	t.Helper()
	file := filepath.Join(s.dir, name)
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.NewReplacer(oldnew...).Replace(string(text))), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// mustKeepRules lets the application try to delete the ruleset, and to find a
// namespace without a ruleset. A container with the missing capabilities can do
// both.
func (s *stack) mustKeepRules(t *testing.T) {
	t.Helper()
	tries := []escape{{task: task{Name: "unload the rules", How: "unload"}}, {task: task{Name: "another namespace", How: "namespace"}}}
	s.withControl(t, func(control string) {
		for _, o := range s.probeIn(t, control, "0", tries) {
			if o.Err != "" {
				t.Errorf("%s: not even with the rights for it, so that its failure proves nothing: %s", o.Name, o.Err)
			}
		}
	})
	for _, user := range []string{"0", "1234"} {
		for _, o := range s.probeIn(t, s.container(t, sidecarApp), user, tries) {
			if o.Err == "" {
				t.Errorf("user %s: %s: permitted", user, o.Name)
			}
		}
	}
}
