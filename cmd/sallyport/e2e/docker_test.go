//go:build linux

// Docker: the image, and the two stacks of deploy/compose.yaml, built by the
// real Dockerfile and run by a real daemon, which has no registry and no
// network except the test's internet.

package e2e

import (
	"testing"
)

func TestDocker(t *testing.T) {
	d := startDaemon(t)
	d.importBase(t)
	t.Run("image", d.testImage)
	t.Run("explicit", d.testExplicit)
	t.Run("sidecar", d.testSidecar)
}
