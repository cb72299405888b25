package htmltext_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/htmltext"
	"rmilter/test/mimesuite"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "just text", "just text"},
		{"white space", "  a \t\r\n b&nbsp;&nbsp;c\u2003d ", "a b c d"},
		{"blocks", "<p>a<p>b</p>c<div>d</div><ul><li>e<li>f</ul><h1>g</h1>h<br>i<hr>j", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj"},
		{"inline", "a<b>b</b><i>c</i><em>d</em><x>e</x><span>f</span>", "abcdef"},
		{"table", "<table><tr><td>aa<td>bb</td><th>cc</th></tr><tr><td>dd</table>ee", "aa bb cc\ndd\nee"},
		{"pre", "<pre>a\nb  c</pre>", "a\nb c"},
		{"entities", "&lt;&amp;&gt;&quot;&apos;&eacute;&eacute &notit; &#65;&#x42;&#67 &#0;&#x110000;&#128;&;&#;&#x;&x", "<&>\"'éé ¬it; ABC \ufffd\ufffd€&;&#;&#x;&x"},
		{"entity of two characters", "&NotEqualTilde;", "≂̸"},
		{"less-than", "a < b <3 a<", "a < b <3 a<"},
		{"comments in words", "V<!-- -->i<!---->a<!-->g<!--->r<!--x--!>a", "Viagra"},
		{"comment with tags", "a<!-- <b>x</b> -- > y -->b", "ab"},
		{"declarations", "<!DOCTYPE html><?xml version='1.0'?>a<![CDATA[x]]>b</3>c", "abc"},
		{"script and style", "a<script>if (a<b) '</p>'</script>b<style>p{}</style>c<SCRIPT>x</SCRIPT >d", "abcd"},
		{"script with a tag like its own", "<script></scripty></script>a", "a"},
		{"title", "<title>not <b> text</title>a", "a"},
		{"title never closed", "<title>x<p>a", "x\na"},
		{"style never closed", "<style>p{} </head><body>a", "a"},
		{"frames", "<iframe>no</iframe><noframes>no</noframes><noembed>no</noembed><noscript>yes</noscript>", "yes"},
		{"template", "a<template>no</template>b", "ab"},
		{"form", "<form>a<button>b</button><textarea>c <d></textarea><select><option>e<option>f</select></form>", "ab\nc <d>\ne\nf"},
		{"zero width", "V\u200bi\u200ca\u200dg\ufeffr\u00ada\u2060", "Viagra"},
		{"fillers", "a\u3164b\u034fc\U000e0061d", "abcd"},
		{"override stays", "a\u202eb", "a\u202eb"},
		{"NUL in a tag", "<scr\x00ipt>no</script>a\x00b", "ab"},
		{"odd tags", "<b/>a</b x='>'>b<img alt=\">\">c< b>d", "abc< b>d"},
		{"unclosed quote", `<a href="x>a</a> b`, "a b"},
		{"unclosed tag", "a<b", "a"},
		{"quote without value", `<a href=>a</a><a "b">c</a>`, "ac"},
		{"letters in cells", "<table><tr><td>V<td>I<td>A<td> <td>x<td>ab</tr><tr><td>1<td>2", "VIA x ab\n1 2"},
		{"letters in floats", "<div style='float:left'>V</div><div style='float:left'>I</div>", "VI"},
		{"inline blocks", "<div style='display:inline'>V</div><p style='display: inline-block'>I</p>", "VI"},
		{"right to left", "שלום <b>עולם</b>", "שלום עולם"},
		{"upper case", "<P>A<BR>B</P><TABLE><TR><TD>C</TABLE>", "A\nB\nC"},
		{"end of a line", "a</br>b</p>c</div>d", "a\nb\nc\nd"},
		{"plaintext", "a<plaintext>b<i>c", "a\nb<i>c"},
		{"namespace", "a<o:p>&nbsp;</o:p>b<v:shape>c</v:shape>", "a bc"},
	} {
		if got := htmltext.Parse(c.in, htmltext.Limits{}).Text; got != c.want {
			t.Errorf("%s: %q:\ngot  %q\nwant %q", c.name, c.in, got, c.want)
		}
	}
}

func TestHidden(t *testing.T) {
	for in, want := range map[string]htmltext.Reason{
		"<i>x</i>":                                                                        htmltext.Shown,
		"<i style='display:none'>x</i>":                                                   htmltext.NotDisplayed,
		"<i style='DISPLAY : NONE !important'>x</i>":                                      htmltext.NotDisplayed,
		"<i style='display:/**/none'>x</i>":                                               htmltext.NotDisplayed,
		`<i style='d\69splay:n\6f ne'>x</i>`:                                              htmltext.NotDisplayed,
		"<i style='display:&#110;one'>x</i>":                                              htmltext.NotDisplayed,
		"<i style='color:red;display:none'>x</i>":                                         htmltext.NotDisplayed,
		"<i style=\"background:url(a;b);display:none\">x</i>":                             htmltext.NotDisplayed,
		"<i style='display:none;display:block'>x</i>":                                     htmltext.Shown,
		"<i style='dis/**/play:none'>x</i>":                                               htmltext.Shown,
		"<i style='display:nonesuch'>x</i>":                                               htmltext.Shown,
		"<i hidden>x</i>":                                                                 htmltext.NotDisplayed,
		"<div style='display:none'><p style='display:block'>x</div>":                      htmltext.NotDisplayed,
		"<div style='display:none'><table><tr><td>x</table></div>":                        htmltext.NotDisplayed,
		"<div style='display:none'></div>x":                                               htmltext.Shown,
		"<p style='display:none'>y<p>x":                                                   htmltext.Shown,
		"<table><tr style='display:none'><td>y<tr><td>x</table>":                          htmltext.Shown,
		"<b style='display:none'></i></div></b>x":                                         htmltext.Shown,
		"<i style='visibility:hidden'>x</i>":                                              htmltext.NotVisible,
		"<i style='visibility:hidden'><b style='visibility:visible'>x</b></i>":            htmltext.Shown,
		"<i style='opacity:0'>x</i>":                                                      htmltext.Transparent,
		"<i style='opacity: 0.01'>x</i>":                                                  htmltext.Transparent,
		"<i style='opacity:1%'>x</i>":                                                     htmltext.Transparent,
		"<i style='opacity:.5'>x</i>":                                                     htmltext.Shown,
		"<i style='filter:alpha(opacity=0)'>x</i>":                                        htmltext.Transparent,
		"<i style='filter:opacity(0%)'>x</i>":                                             htmltext.Transparent,
		"<i style='filter:alpha(opacity=90)'>x</i>":                                       htmltext.Shown,
		"<i style='height:0;overflow:hidden'>x</i>":                                       htmltext.ZeroSize,
		"<i style='max-height:0px;overflow:hidden'>x</i>":                                 htmltext.ZeroSize,
		"<i style='width:0;overflow-x:hidden'>x</i>":                                      htmltext.ZeroSize,
		"<i style='height:0'>x</i>":                                                       htmltext.Shown,
		"<i style='overflow:hidden;height:10px'>x</i>":                                    htmltext.Shown,
		"<i style='overflow:hidden;height:auto'>x</i>":                                    htmltext.Shown,
		"<i style='clip:rect(0,0,0,0)'>x</i>":                                             htmltext.ZeroSize,
		"<i style='clip:rect(1px 1px 1px 1px)'>x</i>":                                     htmltext.ZeroSize,
		"<i style='clip:rect(0,100px,100px,0)'>x</i>":                                     htmltext.Shown,
		"<i style='clip-path:inset(50%)'>x</i>":                                           htmltext.ZeroSize,
		"<i style='clip-path:circle(0)'>x</i>":                                            htmltext.ZeroSize,
		"<i style='transform:scale(0)'>x</i>":                                             htmltext.ZeroSize,
		"<i style='position:absolute;left:-9999px'>x</i>":                                 htmltext.OffScreen,
		"<i style='position:absolute;top:-100em'>x</i>":                                   htmltext.OffScreen,
		"<i style='text-indent:-9999px'>x</i>":                                            htmltext.OffScreen,
		"<i style='text-indent:-20px'>x</i>":                                              htmltext.Shown,
		"<i style='margin-left:-2000px'>x</i>":                                            htmltext.OffScreen,
		"<i style='font-size:0'>x</i>":                                                    htmltext.TinyFont,
		"<i style='font-size:1px'>x</i>":                                                  htmltext.TinyFont,
		"<i style='font-size:0.1em'>x</i>":                                                htmltext.TinyFont,
		"<i style='font-size:5%'>x</i>":                                                   htmltext.TinyFont,
		"<i style='font:0/0 a'>x</i>":                                                     htmltext.TinyFont,
		"<i style='font:bold 400 1px/1.5 Arial'>x</i>":                                    htmltext.TinyFont,
		"<i style='font-size:0'><b style='font-size:12px'>x</b></i>":                      htmltext.Shown,
		"<i style='font-size:0'><b style='font-size:2em'>x</b></i>":                       htmltext.TinyFont,
		"<i style='font-size:small'>x</i>":                                                htmltext.Shown,
		"<i style='font:12px Arial'>x</i>":                                                htmltext.Shown,
		"<font size=1>x</font>":                                                           htmltext.Shown,
		"<font color=white>x</font>":                                                      htmltext.SameColour,
		"<font color=#fff>x</font>":                                                       htmltext.SameColour,
		"<font color=fefefe>x</font>":                                                     htmltext.SameColour,
		"<font color=#eee>x</font>":                                                       htmltext.Shown,
		"<font color=White>x</font>":                                                      htmltext.SameColour,
		"<i style='color:rgb(255, 255, 255)'>x</i>":                                       htmltext.SameColour,
		"<i style='color:rgb(100%,100%,99%)'>x</i>":                                       htmltext.SameColour,
		"<i style='color:hsl(0, 0%, 100%)'>x</i>":                                         htmltext.SameColour,
		"<i style='color:rgba(0,0,0,0)'>x</i>":                                            htmltext.SameColour,
		"<i style='color:transparent'>x</i>":                                              htmltext.SameColour,
		"<i style='color:#ffffff00'>x</i>":                                                htmltext.SameColour,
		"<i style='color:nosuch'>x</i>":                                                   htmltext.Shown,
		"<body bgcolor=black text=white>x":                                                htmltext.Shown,
		"<body bgcolor=black>x":                                                           htmltext.SameColour,
		"<body bgcolor=black><font color=white>x":                                         htmltext.Shown,
		"<table bgcolor='#000000'><tr><td style='color:#010101'>x":                        htmltext.SameColour,
		"<table background=x.png><tr><td style='color:#fff'>x":                            htmltext.Shown,
		"<div style='background:#fff url(x.png)'><font color=white>x":                     htmltext.Shown,
		"<div style='background:blue no-repeat'><font color=white>x":                      htmltext.Shown,
		"<div style='background:none;color:white'>x":                                      htmltext.SameColour,
		"<font color=white><a href=x>x</a></font>":                                        htmltext.Shown,
		"<a href=x style='color:white'>x</a>":                                             htmltext.SameColour,
		"<a style='color:white'>x</a>":                                                    htmltext.SameColour,
		"<style>.h{display:none}</style><i class='a h b'>x</i>":                           htmltext.NotDisplayed,
		"<style>.H{display:none}</style><i class='h'>x</i>":                               htmltext.NotDisplayed,
		"<style>#h{display:none}</style><i id=h>x</i>":                                    htmltext.NotDisplayed,
		"<style>i{display:none}</style><i>x</i>":                                          htmltext.NotDisplayed,
		"<style>i.h,b{display:none}</style><i class=h>x</i>":                              htmltext.NotDisplayed,
		"<style>b.h{display:none}</style><i class=h>x</i>":                                htmltext.Shown,
		"<style>*{display:none}</style><i>x</i>":                                          htmltext.NotDisplayed,
		"<style><!-- .h{display:none} --></style><i class=h>x</i>":                        htmltext.NotDisplayed,
		"<style>/* } */ .h{display:none}</style><i class=h>x</i>":                         htmltext.NotDisplayed,
		"<style>@import url(x);.h{display:none}</style><i class=h>x</i>":                  htmltext.NotDisplayed,
		"<style>@font-face{a:b}.h{display:none}</style><i class=h>x</i>":                  htmltext.NotDisplayed,
		"<style>@media print{.h{display:none}}</style><i class=h>x</i>":                   htmltext.Shown,
		"<style>@media print{}.h{display:none}</style><i class=h>x</i>":                   htmltext.NotDisplayed,
		"<style>.h{display:none}</style><i class=h style='display:block'>x</i>":           htmltext.Shown,
		"<style>.h{display:none!important}</style><i class=h style='display:block'>x</i>": htmltext.NotDisplayed,
		"<style>.h{display:none}.h{display:block}</style><i class=h>x</i>":                htmltext.Shown,
		"<style>.h{display:none} div>.h{display:block}</style><i class=h>x</i>":           htmltext.Shown,
		"<style>.h{display:none} [class]{display:block}</style><i class=h>x</i>":          htmltext.Shown,
		"<style>.h:hover{display:none}</style><i class=h>x</i>":                           htmltext.Shown,
		"<style>a .h{display:none}</style><i class=h>x</i>":                               htmltext.Shown,
		"<style>.h{color:#fff} td .h{background:#000}</style><i class=h>x</i>":            htmltext.Shown,
		"<style>.h{color:#fff}</style><i class=h>x</i>":                                   htmltext.SameColour,
		"<style>.h{display:none":                                                          htmltext.Shown,
		"<!--[if mso]><i>x</i><![endif]-->":                                               htmltext.ForOutlook,
		"<!--[if mso]><style>i{display:none}</style><![endif]--><i>x</i>":                 htmltext.Shown,
		"<![if !mso]><i>x</i><![endif]>":                                                  htmltext.Shown,
	} {
		d := htmltext.Parse(in, htmltext.Limits{})
		got := htmltext.Shown
		for r, n := range d.HiddenBytes {
			if n > 0 && strings.Contains(d.Hidden, "x") {
				got = htmltext.Reason(r)
			}
		}
		if shown := strings.Contains(d.Text, "x"); got != want || shown != (want == htmltext.Shown) && strings.Contains(in, ">x") {
			t.Errorf("%s: got %v, want %v; text %q", in, got, want, d.Text)
		}
	}
}

func TestHiddenKeptApart(t *testing.T) {
	d := htmltext.Parse("a<i style='display:none'> one&nbsp;two </i>b<b style='font-size:0'>thr&eacute;e</b>"+
		strings.Repeat("<i hidden>"+strings.Repeat("y", 1000)+"</i>", 100), htmltext.Limits{Hidden: 1500})
	if want := "onetwothrée" + strings.Repeat("y", 1000); strings.ReplaceAll(d.Hidden, " ", "") != want {
		t.Errorf("hidden: got %d bytes, %.40q", len(d.Hidden), d.Hidden)
	}
	if got, want := d.HiddenTotal(), 6+6+100_000; got != want {
		t.Errorf("hidden bytes: got %d, want %d", got, want)
	}
	if d.Text != "ab" || d.HiddenRuns != 3 {
		t.Errorf("got text %q and %d runs", d.Text, d.HiddenRuns)
	}
}

func TestLinks(t *testing.T) {
	in := `<base href="http://base.example/"><base href=second>
<a href=" http://a.example/x
	y ">one <b>two</b></a> <A HREF='&#104;ttp://b.example/?a=1&amp;b=2&copy=3&lt'>three<img src=i.png></a>
<a href=javascript:x title="The &lt;title&gt;">four</a><a href="first"><a href="second">five</a></a>
<a name=n>six</a><area href=map><p><a href=open>seven<p>eight</a>nine
<form action=post1 method=POST><input><input type=password><input type=submit><textarea></textarea><select></select><button formaction=post2>go</button></form><form></form>
<script src=js></script><iframe src=frame></iframe><embed src=emb><object data=obj></object><link rel=STYLESHEET href=css><video poster=pos src=vid></video>
<td background=bg><i style="background:url( 'st.png' ) url(&quot;su.png&quot;)"></i><style>p{background:url(sheet.png)}</style>
<meta http-equiv=Refresh content="5 ; URL = 'refr'"><meta http-equiv="Content-Type" content="text/html; CHARSET=KOI8-R"><meta charset=utf-8>
<i hidden><a href=hid>ten</a></i><a href>none</a><v:rect href=vml>`
	d := htmltext.Parse(in, htmltext.Limits{})
	var got []string
	for _, l := range d.Links {
		got = append(got, fmt.Sprintf("%v %s %q %q %d %v", l.Kind, l.URL, l.Text, l.Title, l.Images, l.Hidden))
	}
	want := []string{
		`anchor http://a.example/xy "one two" "" 0 shown`,
		`anchor http://b.example/?a=1&b=2&copy=3< "three" "" 1 shown`,
		`image i.png "" "" 0 shown`,
		`anchor javascript:x "four" "The <title>" 0 shown`,
		`anchor first "" "" 0 shown`,
		`anchor second "five" "" 0 shown`,
		`anchor map "" "" 0 shown`,
		`anchor open "seven" "" 0 shown`,
		`form post1 "" "" 0 shown`,
		`form post2 "" "" 0 shown`,
		`resource js "" "" 0 shown`,
		`resource frame "" "" 0 shown`,
		`resource emb "" "" 0 shown`,
		`resource obj "" "" 0 shown`,
		`resource css "" "" 0 shown`,
		`resource vid "" "" 0 shown`,
		`image pos "" "" 0 shown`,
		`image bg "" "" 0 shown`,
		`style st.png "" "" 0 shown`,
		`style su.png "" "" 0 shown`,
		`style sheet.png "" "" 0 shown`,
		`refresh refr "" "" 0 shown`,
		`anchor hid "" "" 0 not displayed`,
		`anchor  "none" "" 0 shown`,
		`anchor vml "" "" 0 shown`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
	if d.Base != "http://base.example/" || d.Refresh != "refr" || d.Charset != "koi8-r" || !d.ExternalStyle {
		t.Errorf("got base %q, refresh %q, charset %q, external style %t", d.Base, d.Refresh, d.Charset, d.ExternalStyle)
	}
	if want := []htmltext.Form{{Action: "post1", Method: "post", Inputs: 4, Password: true}, {Method: "get"}}; !cmp.Equal(want, d.Forms) {
		t.Errorf("forms: got %+v, want %+v", d.Forms, want)
	}
	if d.Count("a") != 9 || d.Count("form") != 2 || d.Count("nosuch") == 0 {
		t.Errorf("got %d anchors, %d forms, %d unknown elements", d.Count("a"), d.Count("form"), d.Count("nosuch"))
	}
}

func TestImages(t *testing.T) {
	d := htmltext.Parse(`<img src=a width=600 height="400px" alt="x &amp; y"><img src=b width=50% style="height:1px;width:2px"><a href=x><img src=c></a><input type=image src=d><i hidden><img src=e></i><img>`, htmltext.Limits{})
	want := []htmltext.Image{
		{Src: "a", Alt: "x & y", Width: 600, Height: 400}, {Src: "b", Width: 2, Height: 1}, {Src: "c", Width: -1, Height: -1, Linked: true},
		{Src: "d", Width: -1, Height: -1}, {Src: "e", Width: -1, Height: -1, Hidden: htmltext.NotDisplayed}, {Width: -1, Height: -1},
	}
	if d := cmp.Diff(want, d.Images); d != "" {
		t.Errorf("images (-want +got):\n%s", d)
	}
}

func TestFaults(t *testing.T) {
	for in, want := range map[string]htmltext.Fault{
		`<a href="x>y`: htmltext.UnclosedQuote, "<a href=x": htmltext.UnclosedTag, "<script>x": htmltext.UnclosedTag, "<!-- x": htmltext.UnclosedComment,
		"a\x00b": htmltext.NULByte, "<a\x00b>": htmltext.NULByte, strings.Repeat("<i>", 300): htmltext.DeepNesting, "</b>": htmltext.StrayEnd, "<p></img>": htmltext.StrayEnd,
		"a<!-- -->b": htmltext.CommentInWord, "a<b></b>b": htmltext.CommentInWord, "a<xyz>b": htmltext.CommentInWord, "<table><td>a<td>b</table>": htmltext.SplitWord,
	} {
		if d := htmltext.Parse(in, htmltext.Limits{}); d.Faults[want] == 0 {
			t.Errorf("%.20q: got %v, want %v", in, d.Faults, want)
		}
	}
	for _, in := range []string{"<p>a<b>b</b> <!-- c --> d<i>e</i></p>", "a<br>b", "H<sub>2</sub>O<o:p></o:p>", "a <!-- --> b", "<table><tr><td>ab<td>c</table>", "a<!--[if mso]>x<![endif]-->b", "a<wbr>b"} {
		if d := htmltext.Parse(in, htmltext.Limits{}); d.Faults != [htmltext.FaultKinds]int{} {
			t.Errorf("%q: got %v, want none", in, d.Faults)
		}
	}
}

func TestLimits(t *testing.T) {
	d := htmltext.Parse("<a href=1>é</a><a href=2><img src=3><form><form>", htmltext.Limits{Links: 1})
	if len(d.Links) != 1 || len(d.Images) != 1 || len(d.Forms) != 1 || d.Cut {
		t.Errorf("got %d links, %d images, %d forms, cut %t", len(d.Links), len(d.Images), len(d.Forms), d.Cut)
	}
	if d = htmltext.Parse("aé<b>", htmltext.Limits{Bytes: 2}); d.Text != "a" || !d.Cut {
		t.Errorf("cut in a character: got %q, %t", d.Text, d.Cut)
	}
	if d = htmltext.Parse("ab<b>", htmltext.Limits{Bytes: 3}); d.Text != "ab<" || !d.Cut {
		t.Errorf("cut in a tag: got %q, %t", d.Text, d.Cut)
	}
}

func TestDeclaredCharset(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "<meta charset=UTF-8>": "utf-8", `<META HTTP-EQUIV="content-type" CONTENT="text/html; charset=koi8-r">`: "koi8-r",
		"<meta name=x><meta charset='x y'>": "x", "<meta charset": "", strings.Repeat(" ", 1024) + "<meta charset=x>": "", "charset=x": "", "<meta content='charset'>": "",
	} {
		if got := htmltext.DeclaredCharset([]byte(in)); got != want {
			t.Errorf("DeclaredCharset(%.40q): got %q, want %q", in, got, want)
		}
	}
}

func TestCleanURL(t *testing.T) {
	for in, want := range map[string]string{
		" http://a\n.ex\tample/ \x01": "http://a.example/", `http:\\a\b?c\d`: "http://a/b?c\\d", `\\a\b`: "//a/b", `javascript:a\b`: `javascript:a\b`, "a b": "a b", "": "",
	} {
		if got := htmltext.CleanURL(in); got != want {
			t.Errorf("CleanURL(%q): got %q, want %q", in, got, want)
		}
	}
}

func FuzzHTML(f *testing.F) {
	for _, s := range []string{
		"<p>a<b style='display:none'>x</b>&amp;&#65;<a href='x\ny'>t</a><!-- c --><![CDATA[x]]>",
		"<style>.a{display:none} @media x{.b{color:#fff}} </style><table><tr><td>a<td class='a b'>b</table>",
		"<!--[if mso]><td><a href=x>y<![endif]--><script>x</scr<title>z", "<form><input type=password><meta http-equiv=refresh content='0;url=x'>",
		"\x00<\x00a\x00>&\x00;<a href=\"x><a href='y\"><font color=rgb(1,2><div style=\"font:0/0;background:url(\">",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd")
		d := htmltext.Parse(s, htmltext.Limits{})
		for _, err := range mimesuite.CheckHTML(d, len(s)) {
			t.Errorf("%q: %v", s, err)
		}
		small := htmltext.Parse(s, htmltext.Limits{Links: 2, Hidden: 10, Bytes: 20})
		if len(small.Links) > 2 || len(small.Hidden) > 10 || small.Cut != (len(s) > 20) {
			t.Errorf("%q: %d links, %d hidden bytes, cut %t", s, len(small.Links), len(small.Hidden), small.Cut)
		}
		if clean, _ := htmltext.StripInvisible(d.Text); clean != d.Text {
			t.Errorf("%q: invisible characters in %q", s, d.Text)
		}
		htmltext.DeclaredCharset([]byte(s))
	})
}
