// Regions: rows for the sites of one part of the world, and names with a part for the region.

package draft

import (
	"regexp"
	"slices"
	"strings"

	"sallyport/rules"
)

const regionName = `(?:EU|EEA|EMEA|APAC|APJ|LATAM|ANZ|MENA|ASEAN|USA|U\.S\.A?\.?|US|UK|Europe|European(?: Union)?|Asia(?:[ -]Pacific)?|(?:mainland |Mainland )?China|Chinese|Japan|Japanese|Korea|India|Singapore|Hong Kong|Taiwan|` +
	`United States|United Kingdom|(?:North |South |Latin )?Americas?|Africa|Oceania|Australia|Canada|Brazil|Germany|France|Switzerland|Middle East|Russia|中国|欧洲|美国|日本|亚太)`

var (
	// regionsForm is a text, or a part of it in brackets, that only names parts of the world.
	regionsForm = regexp.MustCompile(`(?:^|\()\s*(?:(?:the|for|in|and|or|region|regions|only) |[/,:&+] ?)*` + regionName + `(?:\s*(?:[/,&+]| and | or )\s*(?:the )?` + regionName + `)*(?: regions?| only)?\s*(?:$|\))`)
	// regionWordForm is a part of the world with a word for those who are there.
	regionWordForm = regexp.MustCompile(`\b` + regionName + ` (?:regions?|customers?|users?|tenants?|sites?|accounts?|data ?cent(?:re|er)s?|instances?|cloud|deployments?|only)\b`)
)

// regionTitles are the words in the title of a column with the region of each row.
var regionTitles = []string{"region", "location", "geo", "=country", "=countries", "standort", "land/region", "région", "=pays", "país", "regione", "регион", "区域", "地区", "地域"}

// everywhere are the cells of such a column that limit nothing.
var everywhere = []string{"all", "any", "all regions", "every region", "global", "globally", "worldwide", "world", "international", "*", "-", "–", "—", "n/a", "weltweit", "alle", "tous", "todos", "全球", "全部", "所有"}

// region returns the words by which a row is only for the sites of a region; "": it has none.
func (f *fields) region() string {
	for _, x := range f.extra {
		text, _ := unmark(x.text)
		text = clean(text)
		if fitsAny(x.title, regionTitles) && text != "" && !slices.Contains(everywhere, strings.ToLower(strings.Trim(text, ".!()"))) {
			return x.title + ": " + text
		}
	}
	for _, cell := range append([]extra{{"", withoutNames(f.host)}, {"", f.purpose}, {"", f.note}}, f.extra...) {
		text, _ := unmark(cell.text)
		for _, sentence := range sentenceEnd.Split(text, -1) {
			if sentence = clean(sentence); regionsForm.MatchString(sentence) || regionWordForm.MatchString(sentence) {
				return sentence
			}
		}
	}
	return ""
}

// blankForm is a part of a name that the reader fills in: "[region]", "<tenant>", "{site}", "%id%".
var blankForm = regexp.MustCompile(`[\[<{(%]([A-Za-z][A-Za-z_ -]{0,30})[\]>})%]`)

// fillIn proposes the names of a destination with a part to be filled in, if a text of the row or a
// footnote lists the values of this part: "region: eu, us or ap".
func (e *Entry) fillIn(texts []string) {
	if e.ID == "" && len(e.Likely.To) == 0 && len(e.Likely.Left) > 0 {
		rest := strings.Trim(blankForm.ReplaceAllString(strings.ToLower(e.Likely.Left[0]), ""), ".-")
		if _, err := rules.ParseName(rest); err == nil {
			e.ID = ruleID(label(rest))
		}
	}
	var left []string
	for _, name := range e.Likely.Left {
		var names []string
		if blanks := blankForm.FindAllStringSubmatch(name, -1); len(blanks) == 1 {
			for _, value := range valuesOf(blanks[0][1], texts) {
				one := strings.ToLower(strings.Replace(name, blanks[0][0], value, 1))
				if _, err := rules.ParseDestination(one); err != nil || !strings.Contains(one, ".") {
					names = nil
					break
				}
				names = appendNew(names, one)
			}
		}
		if len(names) == 0 {
			left = append(left, name)
		}
		for _, one := range names {
			e.Likely.To = appendNew(slices.Clone(e.Likely.To), one)
		}
	}
	e.Likely.Left = left
}

// valuesOf returns the values that a text lists for a blank. A list with anything else than short
// words gives none.
func valuesOf(blank string, texts []string) []string {
	form, err := regexp.Compile(`(?i)(?:^|[^\p{L}])[\[<{(%]?` + regexp.QuoteMeta(blank) + `s?[\]>})%]?\s*(?:is one of|can be|may be|is|are|one of|:|=)\s*:?\s*([^.;()\n]+)`)
	if err != nil {
		return nil
	}
	for _, text := range texts {
		m := form.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		values := listBreaks.Split(strings.TrimSpace(m[1]), -1)
		if len(values) > mostValues || slices.ContainsFunc(values, func(v string) bool { return !valueForm.MatchString(v) }) {
			continue
		}
		return values
	}
	return nil
}

var (
	listBreaks = regexp.MustCompile(`\s*(?:,\s*(?:or|and)\s|,|/|\s(?:or|and|oder|und|ou|et)\s)\s*`)
	valueForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,18}[A-Za-z0-9])?$`)
)

// mostValues is the number of values that a proposal lists.
const mostValues = 40
