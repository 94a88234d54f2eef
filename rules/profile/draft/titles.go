// Titles: the words in the titles of columns, in some languages.

package draft

import "strings"

// titles lists the words that the title of a column may have, for each kind of column.
// columnsOf looks for the kinds and their words in this order. A word after "=" is a
// whole word of the title.
var titles = []struct {
	words []string
	of    func(*columns) *int
}{
	{[]string{"direction", "richtung", "=sens", "=sentido", "in/out", "inbound/outbound", "direção", "direzione", "kierunek", "направление", "方向"}, func(c *columns) *int { return &c.direction }},
	{sourceWords, func(c *columns) *int { return &c.source }},
	{[]string{"destination port", "zielport", "目的端口", "目标端口", "port", "puerto", "端口", "連接埠", "通訊埠", "ポート", "порт", "=tcp", "=udp"}, func(c *columns) *int { return &c.port }},
	{[]string{"protocol", "protokoll", "protokół", "protokol", "transport", "протокол", "协议", "協定", "プロトコル"}, func(c *columns) *int { return &c.protocol }},
	{[]string{
		"domain", "fqdn", "host", "url", "destination", "address", "endpoint", "server", "target",
		"ziel", "=nach", "adresse", "hôte", "domaine", "serveur", "cible", "dominio", "domínio", "destino", "dirección", "endereço",
		"servidor", "destinazione", "indirizzo", "domena", "adres", "домен", "адрес", "хост", "узел",
		"域名", "主机", "主機", "目的地", "目的ip", "目标", "目標", "地址", "位址", "网址", "ドメイン", "宛先", "ホスト", "アドレス", "=to", "name",
	}, func(c *columns) *int { return &c.host }},
	{[]string{
		"purpose", "description", "function", "usage", "used", "reason", "detail", "=use", "what for", "needed for", "required for", "=service",
		"zweck", "beschreibung", "verwendung", "funktion", "objet", "utilisation", "fonction", "descripci", "propósito", "finalidad",
		"descrição", "scopo", "descrizione", "opis", "przeznaczenie", "wykorzyst", "описание", "цель",
		"用途", "说明", "說明", "描述", "功能", "目的", "説明",
	}, func(c *columns) *int { return &c.purpose }},
	{[]string{
		"note", "remark", "comment", "bemerkung", "hinweis", "anmerkung", "kommentar", "remarque", "=nota", "notas", "observaci",
		"uwagi", "примечани", "备注", "備註", "注释", "注意", "備考",
	}, func(c *columns) *int { return &c.note }},
}

// sourceWords are the words in the titles of columns about the side that opens the
// connection. A column with one of them has neither the destination nor its port.
var sourceWords = []string{"source", "=from", "=src", "=origin", "initiator", "quell", "=von", "origen", "origem", "sorgente", "źródło", "источник", "=源", "源地址", "源ip", "源端口", "源主机", "来源", "來源", "送信元"}

// otherWords removes the words that contain "port" or "source" and mean something else.
var otherWords = strings.NewReplacer("transport", "", "support", "", "important", "", "report", "", "portal", "", "import", "", "export", "", "resource", "", "ressource", "", "open source", "")

// fits reports whether a title has a word.
func fits(title, word string) bool {
	title = strings.ToLower(title)
	if whole, ok := strings.CutPrefix(word, "="); ok {
		for _, w := range strings.FieldsFunc(title, func(r rune) bool { return strings.ContainsRune(" \t\n/,&+();:.-", r) }) {
			if w == whole {
				return true
			}
		}
		return false
	}
	if word == "port" || word == "source" {
		title = otherWords.Replace(title)
	}
	return strings.Contains(title, word)
}

// fitsAny reports whether a title has one of the words.
func fitsAny(title string, words []string) bool {
	for _, w := range words {
		if fits(title, w) {
			return true
		}
	}
	return false
}
