package main

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// colours are those of a picture.
type colours struct{ page, frame, text, soft, title, command, bad string }

var (
	light = colours{"#ffffff", "#d0d7de", "#1f2328", "#59636e", "#1f2328", "#1a6b4f", "#a3261c"}
	dark  = colours{"#0d1117", "#30363d", "#d1d7e0", "#9198a1", "#f0f6fc", "#7fd0ae", "#ff9f94"}
)

// The size of a character, and the room around the text, in pixels.
const (
	wide, high = 7.75, 18
	left, top  = 20, 48
)

// svg draws the lines as a terminal. Each line has a fixed length, and no space that a renderer may join with another,
// so columns are straight in any font.
func svg(lines []string, c colours) string {
	var b strings.Builder
	width, height := int(2*left+columns*wide), top+len(lines)*high+14
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintln(&b, "<title>strongroom demo in a terminal</title>")
	fmt.Fprintf(&b, `<rect x=".5" y=".5" width="%d" height="%d" rx="10" fill="%s" stroke="%s"/>`+"\n", width-1, height-1, c.page, c.frame)
	for i := range 3 {
		fmt.Fprintf(&b, `<circle cx="%d" cy="20" r="5.5" fill="%s"/>`+"\n", left+6+i*18, c.frame)
	}
	b.WriteString(`<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="13">` + "\n")
	for i, line := range lines {
		if line == "" {
			continue
		}
		fill, more := c.text, ""
		switch {
		case strings.HasPrefix(line, "== "):
			fill, more = c.title, ` font-weight="700"`
		case strings.HasPrefix(line, "$ "):
			fill, more = c.command, ` font-weight="600"`
		case strings.HasPrefix(line, "SNAPSHOT "), strings.HasPrefix(line, "read back so far"):
			fill = c.soft
		case strings.HasPrefix(line, "content: "), strings.Contains(line, "exit code"), strings.HasSuffix(line, "1 problem"):
			fill = c.bad
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs" fill="%s"%s>%s</text>`+"\n",
			left, top+i*high+10, float64(utf8.RuneCountInString(line))*wide, fill, more, strings.ReplaceAll(html.EscapeString(line), " ", "\u00a0"))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}
