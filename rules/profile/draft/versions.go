// Versions: the rules that a row may become, if a footnote or a sentence ties some of its ports to a
// version of the product.

package draft

import (
	"regexp"
	"slices"
	"strings"

	"sallyport/rules"
)

const versionNumber = `(?:version |release |firmware |build |v\.? ?)?([0-9]{1,4}(?:\.[0-9]{1,4}){0,3})`

var (
	// untilForm is a version that does not belong to those that the sentence is about. "Up to 3.2" can
	// mean with 3.2 or without it, so that it is no such form.
	untilForm = regexp.MustCompile(`(?i)\b(?:older than|before|prior to|earlier than|lower than|below) ` + versionNumber)
	sinceForm = regexp.MustCompile(`(?i)\b(?:since|from|as of|starting with|beginning with) ` + versionNumber + `|` + versionNumber + ` (?:and|or) (?:later|newer|above|higher)\b`)
	portsForm = regexp.MustCompile(`(?i)\bports? ((?:tcp |udp )?[0-9]{1,5}(?:(?:, | and |, and |/)[0-9]{1,5})*)\b`)
	portForm  = regexp.MustCompile(`[0-9]+`)
	// negated sentences turn the meaning of a version around; "no longer" does so in a way that is clear.
	noLonger = regexp.MustCompile(`(?i)\b(?:no longer|deprecated|obsolete|discontinued|removed)\b`)
	negated  = regexp.MustCompile(`(?i)\b(?:not|never|except|unless|without)\b|n't\b`)
)

// split proposes two rules for a row of which one sentence names a version, and perhaps ports: the
// ports of every version, and those that the sentence is about. Without ports in the sentence, the
// whole row depends on the version.
func (e *Entry) split() {
	var tied []string
	for _, text := range append(slices.Clone(e.Footnotes), e.versionTexts...) {
		if _, text, _ = strings.Cut(text, ": "); untilForm.MatchString(text) != sinceForm.MatchString(text) {
			tied = append(tied, text)
		}
	}
	if len(tied) != 1 {
		return
	}
	l := &e.Likely
	s := Likely{To: l.To, Left: l.Left, Private: l.Private, Party: l.Party, Feature: l.Feature}
	since, until := sinceForm.FindStringSubmatch(tied[0]), untilForm.FindStringSubmatch(tied[0])
	switch over := noLonger.MatchString(tied[0]); {
	case negated.MatchString(tied[0]), over && until != nil:
		return
	case until != nil:
		s.Until = until[1]
	case over:
		s.Until = since[1] + since[2]
	default:
		s.Since = since[1] + since[2]
	}
	if rules.CheckVersion(s.Since+s.Until) != nil {
		return
	}
	for _, m := range portsForm.FindAllStringSubmatch(tied[0], -1) {
		for _, port := range portForm.FindAllString(m[1], -1) {
			_, err := rules.ParsePort(port)
			switch {
			case err != nil:
			case slices.Contains(l.TCP, port), !slices.Contains(l.UDP, port) && len(l.UDP) == 0:
				s.TCP = appendNew(s.TCP, port)
			case slices.Contains(l.UDP, port), len(l.TCP) == 0:
				s.UDP = appendNew(s.UDP, port)
			default:
				return // TCP or UDP
			}
		}
	}
	rest := func(all, some []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(p string) bool { return slices.Contains(some, p) })
	}
	tcp, udp := rest(l.TCP, s.TCP), rest(l.UDP, s.UDP)
	if len(s.TCP)+len(s.UDP) == 0 || len(tcp)+len(udp) == 0 {
		l.Since, l.Until = s.Since, s.Until
		return
	}
	l.TCP, l.UDP, l.Split = tcp, udp, &s
}
