//go:build linux

// Image: what the Dockerfile makes, by both builders.

package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the tests build.
const (
	testVersion = "7.7.7-e2e"
	imageLimit  = 25 << 20
	warmImage   = "sallyport-e2e/warm" // Go, with the packages that the first build compiled
)

// testImage builds with the classic builder from only the base image, and with
// BuildKit from the image that the first build left.
func (d *daemon) testImage(t *testing.T) {
	for _, builder := range []struct{ name, kit, from string }{
		{"classic", "0", baseImage}, {"buildkit", "1", warmImage},
	} {
		if !t.Run(builder.name, func(t *testing.T) {
			d.build(t, builder.kit, "build", builder.from, warmImage)
			d.build(t, builder.kit, "filter", builder.from, "sallyport-filter:"+testVersion)
			d.build(t, builder.kit, "", builder.from, "sallyport:"+testVersion)
			d.mustBeMinimal(t, "sallyport:"+testVersion)
		}) {
			t.FailNow()
		}
	}
	t.Run("run as it is", d.testImageAlone)
}

// build runs docker build on the repository as it is.
func (d *daemon) build(t *testing.T, kit, target, from, tag string) {
	t.Helper()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"build", "-t", tag, "--build-arg", "VERSION=" + testVersion, "--build-arg", "GO_IMAGE=" + from, "--build-arg", "FILTER_IMAGE=" + baseImage}
	if target != "" {
		args = append(args, "--target", target)
	}
	r := d.tool(t, "", []string{"DOCKER_BUILDKIT=" + kit, "BUILDKIT_PROGRESS=plain"}, d.client, append(args, root)...)
	if r.code != 0 {
		t.Fatalf("%v", r)
	}
	t.Logf("%s with DOCKER_BUILDKIT=%s: %v", tag, kit, r.took.Round(time.Second))
}

// inspected is the part of the output of docker inspect that the tests read.
type inspected struct {
	Size   int64
	Config struct {
		User            string
		Labels          map[string]string
		Cmd, Entrypoint []string
		Healthcheck     struct{ Test []string }
	}
	HostConfig struct {
		CapAdd, CapDrop, SecurityOpt []string
		ReadonlyRootfs, Privileged   bool
		Sysctls                      map[string]string
	}
	State struct {
		Pid      int
		ExitCode int
		Running  bool
		Health   struct{ Status string }
	}
}

func (d *daemon) inspect(t *testing.T, name string) (i inspected) {
	t.Helper()
	var list []inspected
	if err := json.Unmarshal([]byte(d.must(t, "inspect", name)), &list); err != nil || len(list) != 1 {
		t.Fatalf("docker inspect %s: %v", name, err)
	}
	return list[0]
}

// mustBeMinimal checks what the page promises about the image.
func (d *daemon) mustBeMinimal(t *testing.T, image string) {
	t.Helper()
	i := d.inspect(t, image)
	if i.Size == 0 || i.Size >= imageLimit {
		t.Errorf("the image has %d bytes, want fewer than %d", i.Size, imageLimit)
	}
	t.Logf("%s: %.1f MiB", image, float64(i.Size)/(1<<20))
	if i.Config.User != "53128:53128" || i.Config.Labels["org.opencontainers.image.version"] != testVersion ||
		!slices.Contains(i.Config.Healthcheck.Test, "healthcheck") {
		t.Errorf("user, label or health check is missing: %+v", i.Config)
	}
	if out := d.must(t, "run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "none", image, "version"); !strings.HasPrefix(out, "sallyport "+testVersion+" ") {
		t.Errorf("the version is %q", out)
	}
	if r := d.docker(t, "run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", image, "-c", "true"); r.code == 0 {
		t.Error("the image has a shell")
	}
	// The image has only the binary, its configuration, the CA bundle, and directories to
	// write to.
	id := d.must(t, "create", image)
	defer d.must(t, "rm", "-v", id)
	r := d.tool(t, "", nil, "sh", "-c", fmt.Sprintf("%s export %s | tar t", d.client, id))
	var files []string
	for _, f := range lines(r.stdout) {
		docker := slices.ContainsFunc([]string{"dev/", "proc/", "sys/", ".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"},
			func(own string) bool { return strings.HasPrefix(f, own) })
		if !docker && !strings.HasSuffix(f, "/") {
			files = append(files, f)
		}
	}
	slices.Sort(files)
	if want := []string{"etc/sallyport/sallyport.toml", "etc/ssl/certs/ca-certificates.crt", "sallyport"}; !slices.Equal(files, want) {
		t.Errorf("the image holds %q, want %q", files, want)
	}
}

// testImageAlone runs the image without any configuration, with a read-only root
// and without a capability. The container becomes healthy and works as a proxy.
func (d *daemon) testImageAlone(t *testing.T) {
	d.must(t, "run", "-d", "--name", "alone", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "sallyport:"+testVersion)
	defer d.docker(t, "rm", "-fv", "alone")
	d.waitHealthy(t, "alone")
	address := d.must(t, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "alone")
	proxied := func(url string) result {
		return d.gateway.run(t, d.dir, "", "curl", "-sS", "--max-time", "5", "--cacert", d.ca.file, "-x", "http://"+address+":3128", url)
	}
	if r := proxied("https://license.sangfor.com/"); !strings.Contains(r.stdout, "host=license.sangfor.com") {
		t.Errorf("a documented name: %v\n%s", r, d.must(t, "logs", "alone"))
	}
	if r := proxied("https://evil.example/"); r.code == 0 || !strings.Contains(r.stderr, "403") {
		t.Errorf("another name: %v", r)
	}
}

// waitHealthy waits until HEALTHCHECK reports a healthy container.
func (d *daemon) waitHealthy(t *testing.T, name string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if d.inspect(t, name).State.Health.Status == "healthy" {
			return
		}
	}
	t.Fatalf("%s is not healthy: %s\n%v", name, d.must(t, "inspect", "-f", "{{json .State}}", name), d.docker(t, "logs", name))
}
