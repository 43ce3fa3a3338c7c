//go:build linux

package main

import (
	"fmt"
	"html"
	"strings"
)

// The colours of the groups; they differ on light and dark pages, also for people who see no red or green
// (those of Okabe and Ito).
var groupColours = [len(groupNames)]string{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999999"}

const (
	chartWidth  = 860
	labelWidth  = 250 // left of the bars
	totalWidth  = 60  // right of them
	barHeight   = 16
	stepSpace   = 14 // between the bars of two steps
	legendSpace = 40
)

// svg draws one bar for each program and step, with a part for each group.
func (p *profile) svg() string {
	longest := 0.0
	for i := range p.bars {
		longest = max(longest, p.bars[i].total())
	}
	var s strings.Builder
	y := legendSpace
	for i, b := range p.bars {
		if i == 0 || p.bars[i-1].step != b.step {
			y += stepSpace
			fmt.Fprintf(&s, `<text x="0" y="%d" class="step">%s</text>`+"\n", y+barHeight-4, html.EscapeString(b.step))
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-6, y+barHeight-4, html.EscapeString(b.program))
		x := float64(labelWidth)
		for g, seconds := range b.groups {
			w := seconds / longest * (chartWidth - labelWidth - totalWidth)
			fmt.Fprintf(&s, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"><title>%s: %.2f s</title></rect>`+"\n",
				x, y, w, barHeight-3, groupColours[g], groupNames[g], seconds/float64(p.count))
			x += w
		}
		fmt.Fprintf(&s, `<text x="%.1f" y="%d">%.2f s</text>`+"\n", x+6, y+barHeight-4, b.total()/float64(p.count))
		y += barHeight
	}
	var legend strings.Builder
	for g, name := range groupNames {
		x := g * chartWidth / len(groupNames)
		fmt.Fprintf(&legend, `<rect x="%d" y="8" width="12" height="12" fill="%s"/><text x="%d" y="18">%s</text>`+"\n", x, groupColours[g], x+17, name)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<style>text { fill: #24292f } .step { font-weight: bold } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }</style>
%s%s</svg>
`, chartWidth, y+stepSpace, legend.String(), s.String())
}
