// Parent check: tries a parent without a flow.

package proxy

import (
	"context"
	"errors"
	"io"

	"sallyport/rules"
)

// CheckParent tries whether a parent of the generation in force can be used: it connects, makes TLS
// with an https parent, and logs in to a SOCKS5 parent. It asks for no destination. A parent whose
// check fails is tried after the others. changed reports that the check before ended differently.
// ParentFault explains the error.
func (p *Proxy) CheckParent(ctx context.Context, parent *rules.Parent) (changed bool, err error) {
	limited, cancel := context.WithTimeout(ctx, p.limits.Dial)
	defer cancel()
	err = p.check(limited, parent)
	if ctx.Err() != nil {
		return false, ctx.Err() // that says nothing about the parent
	}
	return p.parents.noteCheck(parent, err), err
}

func (p *Proxy) check(ctx context.Context, parent *rules.Parent) error {
	g := p.cfg.Generation()
	if g == nil {
		return errors.New("there is no generation in force")
	}
	l, err := p.reachParent(ctx, g.Policy.IsOwn, g, parent, true)
	if err != nil {
		return err
	}
	defer l.Close()
	if parent.HTTP() {
		return notRefused(l) // it answers only requests for destinations
	}
	return p.speak(ctx, l, func() error {
		return exchangeSOCKS(l, func(c io.ReadWriter) error { return beginSOCKS(c, parent) })
	})
}
