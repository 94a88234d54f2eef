// Conditions: the words by which a document says that a row does not apply to every site.

package draft

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// conditionWords are the words of a condition in some languages. Words of one language that
// mean something else in another one, such as the French and the Spanish "si", have the word
// that follows them.
var conditionWords = []string{
	`optional(?:ly)?`, `if`, `when`, `whenever`, `unless`, `except`, `(?:after|once) you`, `provided that`, `depending on`, `in case`, `as needed`,
	`only (?:if|when|where|while|for|by|with|on|in|at|during|after|before|until|as|needed|required|necessary|used|applies|applicable|available|supported)`,
	`where (?:applicable|available|needed|required|used|supported|enabled)`, `not (?:needed|required|necessary|mandatory)`,
	`(?:can|may) be (?:disabled|turned off|switched off|omitted|left out|blocked|skipped)`,
	`requires? (?:an?|the) (?:[\p{L}\p{N}-]+ ){0,4}(?:licen[sc]e|subscription|add-on|module|option)`,
	`for (?:customers|users|sites|tenants|deployments|installations|appliances) (?:with|that|who|which|whose|in|of|using|running)`,
	`wenn`, `falls`, `sofern`, `bei bedarf`, `außer`, `ausser`, `es sei denn`, `abhängig`, `nur (?:bei|beim|für|wenn|falls|mit|in|auf|im|nötig|erforderlich)`, `nicht (?:nötig|erforderlich|benötigt|notwendig)`, `kann (?:deaktiviert|abgeschaltet|entfallen)`,
	`optionnel(?:le|lement)?`, `facultati(?:f|ve)`, `s'il`, `si (?:vous|nécessaire|le|la|les|l'[\p{L}]+|un|une)`, `lorsque?`, `uniquement (?:si|pour|en|avec)`, `seulement (?:si|pour|en|avec)`, `sauf`, `à moins`,
	`opcional(?:mente)?`, `s[oó]lo (?:si|cuando|para|en|con)`, `si (?:se|usted|es|el|utiliza|usa)`, `cuando`, `salvo`, `excepto`, `a menos`,
	`quando`, `se (?:você|for|o|a|usar|utilizar|si|è|il)`, `(?:apenas|somente) (?:se|para|em|com|quando)`, `exceto`, `opzionale`, `facoltativ[oa]`, `solo (?:se|quando|per|in|con)`, `tranne`,
	`opcjonaln\p{L}*`, `jeśli`, `jeżeli`, `gdy`, `o ile`, `chyba że`, `tylko (?:gdy|dla|jeśli|jeżeli|w|przy)`, `w razie potrzeby`,
	`если`, `при необходимости`, `только (?:если|для|при|в)`, `опциональн\p{L}*`, `необязательн\p{L}*`, `кроме`, `когда`,
}

// versionWords are the words by which a document ties a row to versions of the product.
var versionWords = []string{
	`(?:older|newer|earlier|later|lower|higher) than`, `(?:or|and) (?:older|newer|earlier|later|above|below|higher|lower)`, `prior to`,
	`(?:as of|since|from|until|before|starting with|beginning with|up to) (?:version |release |firmware |build |v\.?)?[0-9]{1,3}(?:\.[0-9x]{1,4}){1,2}(?:[^.0-9]|$)`,
	`(?:as of|since|from|until|before|starting with|beginning with|up to) (?:version|release|firmware|build) ?v?[0-9]\S*`,
	`no longer (?:used|needed|required|supported|necessary)`, `deprecated`, `obsolete`, `discontinued`, `legacy (?:versions?|appliances?|clients?|agents?|devices?|systems?|releases?)`,
	`(?:ab|bis|vor|seit) (?:der )?version`, `(?:älter|neuer|jünger) als`, `veraltet`, `nicht mehr (?:benötigt|verwendet|nötig|erforderlich|unterstützt)`,
	`(?:à partir de|depuis|jusqu'à|avant) la version`, `(?:desde|hasta|a partir de) la versi[oó]n`, `a partir da versão`, `dalla versione`,
	`(?:od|do|przed|od czasu) wersji`, `начиная с версии`, `до версии`,
}

// signalWords are the words of which each condition has one: a text without them needs no search.
// Each of them with five letters or more also stands for the words that begin with it. "As of" is
// a signal too.
var signalWords = strings.Fields(`
	optional if when whenever unless except after once provided depending case needed only where not can may require customer user site tenant deployment
	installation appliance wenn falls sofern bedarf außer ausser sei abhängig nur nicht kann optionnel facultati s'il si lorsq uniquement seulement sauf
	moins partir opcional solo sólo cuando salvo excepto menos quando se apenas somente exceto opzionale facoltativ tranne opcjonaln jeśli jeżeli gdy ile
	chyba tylko razie requires customers users sites tenants если необходимости только опциональн необязательн кроме когда
	older newer earlier later lower higher above below up prior version release firmware build since from until before starting beginning no
	deprecated obsolete discontinued legacy älter neuer jünger veraltet wersji версии versi`)

// signals reports whether a sentence may state a condition.
func signals(sentence string) bool {
	low := strings.ToLower(sentence)
	for word := range strings.FieldsFuncSeq(low, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }) {
		if word[0] >= utf8.RuneSelf && !unicode.In(firstRune(word), unicode.Latin, unicode.Cyrillic, unicode.Greek) {
			return true // a script without spaces between words
		}
		for _, s := range signalWords {
			if word == s || len(s) > 4 && strings.HasPrefix(word, s) {
				return true
			}
		}
	}
	return strings.Contains(low, "as of")
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// Chinese and Japanese have no spaces between words.
const (
	conditionSigns = `可选|選択|选配|任意|オプション|如果|如需|若[^干]|只有|除非|当[^前地中].{0,30}时|按需|无需|仅(?:当|在|限|适用|支持|需)|場合|のみ|必要に応じて|除く`
	versionSigns   = `[0-9] ?(?:及|或|以)?(?:以上|以下|之前|之后|以前|以後|以降|以后)|弃用|废弃|不再(?:使用|需要|支持)`
)

var (
	conditionForm = wordsForm(conditionWords, conditionSigns)
	versionForm   = wordsForm(versionWords, versionSigns)
	// onlyForm is "only" at the end of a sentence. Behind a protocol or a direction it limits
	// nothing that a rule would permit.
	onlyForm = regexp.MustCompile(`(?i)([\p{L}\p{N}]+) only\W*$`)
	// sentenceEnd is where a sentence ends, or a line.
	sentenceEnd = regexp.MustCompile(`[.;!?]\s+|[。；！？\n]|\s[•·▪‣◦]\s`)
)

// wordsForm matches one of the words as a whole word, or one of the signs.
func wordsForm(words []string, signs string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:^|[^\p{L}\p{N}_-])(?:` + strings.Join(words, "|") + `)(?:$|[^\p{L}\p{N}_-])|` + signs)
}

// A condition is a sentence of the document by which a row does not apply to every site.
type condition struct {
	where    string // what has the sentence: "row", "heading"
	sentence string
	version  bool // it depends on a version of the product
}

// conditionsIn returns the sentences of a text that state a condition.
func conditionsIn(where, text string) (out []condition) {
	text = strings.NewReplacer(" v. ", " v.", " V. ", " V.").Replace(text) // no end of a sentence
	for _, sentence := range sentenceEnd.Split(text, -1) {
		if sentence = clean(strings.Trim(clean(sentence), ".;•")); !signals(sentence) {
			continue
		}
		only := onlyForm.FindStringSubmatch(sentence)
		switch {
		case versionForm.MatchString(sentence):
			out = append(out, condition{where, sentence, true})
		case conditionForm.MatchString(sentence):
			out = append(out, condition{where, sentence, false})
		case only != nil && !slices.Contains([]string{"https", "http", "tcp", "udp", "tls", "ipv4", "ipv6", "read", "outbound", "outgoing", "inbound"}, strings.ToLower(only[1])):
			out = append(out, condition{where, sentence, false})
		}
	}
	return out
}

// doubtOf says why a row with conditions is no rule: the sentences of the heading and of the row,
// and once what makes a rule conditional. Either all conditions depend on a version, or none.
func doubtOf(found []condition) string {
	states, cure := "states a condition", "a feature makes a rule conditional"
	if found[0].version {
		states, cure = "names a version or an age", "since and until say from which version a rule holds, and until which"
	}
	var places []string
	sentences := map[string][]string{} // by place
	for _, c := range found {
		places = appendNew(places, c.where)
		sentences[c.where] = appendNew(sentences[c.where], strconv.Quote(c.sentence))
	}
	var parts []string
	for _, where := range places {
		parts = append(parts, fmt.Sprintf("the %s %s: %s", where, states, strings.Join(sentences[where], " and ")))
	}
	return strings.Join(append(parts, cure), "; ")
}

// notNeeded reports whether a cell below a title such as "Required" says no.
func notNeeded(title, cell string) bool {
	switch strings.ToLower(strings.Trim(clean(cell), ".!()")) {
	case "no", "n", "false", "nein", "non", "nie", "não", "нет", "否", "不", "×", "✗", "✘", "-", "recommended", "empfohlen", "recommandé":
		return slices.ContainsFunc([]string{"required", "mandatory", "necessary", "needed", "erforderlich", "pflicht", "notwendig", "requis", "obligatoire", "obligator", "requerido", "wymagan", "обязательн", "必须", "必需", "必須", "必选"},
			func(word string) bool { return fits(title, word) })
	}
	return false
}

// withoutNames returns the words of a cell that are no name, address or URL: "if.x.example" is no
// condition.
func withoutNames(cell string) string {
	words := strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(destBreaks, r) })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool {
		return strings.Contains(strings.TrimRight(w, ".:"), ".") || strings.Contains(w, "://")
	}), " ")
}

// conditions adds a doubt for each kind of condition that the texts of a row or the heading above it
// state, and proposes a feature.
func (e *Entry) conditions(f fields, heading string) {
	found := conditionsIn("heading", heading)
	for _, cell := range []string{f.host, f.port} {
		found = append(found, conditionsIn("row", withoutNames(cell))...)
	}
	for _, x := range append([]extra{{"", f.purpose}, {"", f.note}}, f.extra...) {
		text, _ := unmark(x.text)
		found = append(found, conditionsIn("row", text)...)
		if x.title != "" && notNeeded(x.title, text) {
			found = append(found, condition{"row", x.title + ": " + clean(text), false})
		}
	}
	if where := f.region(); where != "" && !slices.ContainsFunc(found, func(c condition) bool { return !c.version }) {
		e.Doubts = append(e.Doubts, fmt.Sprintf("the row is for a region: %q; leave the row out if the site is elsewhere; a feature makes a rule conditional", where))
		e.Likely.Feature = where
	}
	kinds := map[bool][]condition{} // by whether they depend on a version
	for _, c := range found {
		kinds[c.version] = append(kinds[c.version], c)
		if c.version {
			e.versionTexts = appendNew(e.versionTexts, c.where+": "+c.sentence)
		} else if e.Likely.Feature == "" {
			e.Likely.Feature = c.sentence
		}
	}
	for _, version := range []bool{false, true} {
		if of := kinds[version]; len(of) > 0 {
			e.Doubts = append(e.Doubts, doubtOf(of))
		}
	}
}
