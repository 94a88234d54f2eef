//go:build linux

// Explicit stack: an application on an internal network, whose only neighbour is
// sallyport.

package e2e

import (
	"testing"
	"time"
)

func (d *daemon) testExplicit(t *testing.T) {
	const app, gate = "explicit-application", "explicit-sallyport"
	s := d.newStack(t, "explicit", "deploy/docker.md", sixToo)
	host := d.listenOnHost(t)
	s.follow(t, "Start", registryImage, baseImage)
	s.mustBeBare(t, gate, true)
	s.mustBeBare(t, app, false)
	if v := s.inspect(t, s.container(t, gate)).HostConfig.Sysctls["net.ipv4.ip_forward"]; v != "0" {
		t.Errorf("the container that stands in both networks routes between them: ip_forward is %q", v)
	}
	s.follow(t, "Try it")
	s.mustReach(t, app)

	outside, inside := s.bridge(t, "sallyport_outside"), s.bridge(t, "sallyport_inside")
	s.withControl(t, func(control string) { s.mustEscape(t, control, d.escapes(outside, "control"), host) })
	s.mustReachHost(t, app, d.hostEscapes(inside), host)
	s.follow(t, "Close the host")
	s.mustNotEscape(t, s.container(t, app), d.escapes(inside, "shut"), host)
	s.mustNotFindAdmin(t, app)
	s.mustNotOpenVsock(t, app)

	s.kill(t, gate)
	s.mustNotEscape(t, s.container(t, app), d.escapes(inside, "killed"), host)
	s.mustNotReach(t, app)
	s.revive(t, gate)
	s.mustReach(t, app)
	s.mustNotEscape(t, s.container(t, app), d.escapes(inside, "revived"), host)

	s.follow(t, "After a change")
	s.mustReach(t, app)
	d.reboot(t)
	s.waitHealthy(t, s.container(t, gate))
	eventually(t, 30*time.Second, "the application is back", func() error {
		if !s.inspect(t, s.container(t, app)).State.Running {
			return errorf("it is not running")
		}
		return nil
	})
	s.mustReach(t, app)
	s.follow(t, "The image by itself", "docker build", "docker build --build-arg GO_IMAGE="+warmImage+" --build-arg FILTER_IMAGE="+baseImage)
	s.follow(t, "Stop")
	s.page.done(t, nil, nil)

	s.readmeStart(t)
	s.mustBeBare(t, gate, true)
	s.mustReach(t, app)
}

// mustReachHost shows why the page has the section "Close the host": without it,
// datagrams still arrive at the host. They get no answer, and nothing else arrives.
func (s *stack) mustReachHost(t *testing.T, app string, escapes []escape, host *ear) {
	t.Helper()
	heard := len(host.since(0))
	for _, o := range s.probeIn(t, s.container(t, app), "1234", escapes) {
		if o.Answer != "" {
			t.Errorf("%s was answered %q", o.Name, o.Answer)
		}
	}
	arrived := host.since(heard)
	for _, what := range arrived {
		if what[:3] != "udp" {
			t.Errorf("arrived at the Docker host: %s", what)
		}
	}
	if len(arrived) == 0 {
		t.Error("no datagram arrives at the Docker host: then the page need not say how to stop them")
	}
}
