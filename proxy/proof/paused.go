// Paused: how many sources must wait before their passwords are checked again.

package proof

// PausedSources returns how many sources must wait now.
func (l *Logins) PausedSources() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, f := range l.failed {
		if f.n >= failures && now.Before(f.until) {
			n++
		}
	}
	return n
}
