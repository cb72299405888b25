package mime_test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"rmilter/internal/mime"
)

// Sentences such as mail has them, written for this test.
var sentences = map[string]string{
	"german":    "Sehr geehrte Damen und Herren, über die Größe der Tür müssen wir noch sprechen. Schöne Grüße aus München",
	"french":    "Bonjour à tous, voilà l'été déjà terminé et la rentrée commence à l'école. Où êtes-vous ? Merci beaucoup",
	"russian":   "Добрый день, уважаемые коллеги! Завтра в десять часов состоится общее собрание нашего отдела. Прошу не опаздывать.",
	"greek":     "Καλημέρα σας, η συνάντηση θα γίνει αύριο το πρωί στις δέκα. Παρακαλώ να είστε όλοι εκεί.",
	"hebrew":    "שלום לכולם, הפגישה תתקיים מחר בשעה עשר בבוקר. נא להגיע בזמן.",
	"arabic":    "السلام عليكم، سيعقد الاجتماع غدا في الساعة العاشرة صباحا. نرجو الحضور في الموعد المحدد.",
	"thai":      "สวัสดีครับ การประชุมจะจัดขึ้นในวันพรุ่งนี้เวลาสิบโมงเช้า กรุณามาให้ตรงเวลา",
	"polish":    "Dzień dobry, przesyłam zdjęcia z wczorajszej wycieczki. Było świetnie, następnym razem weźmiemy też Małgosię.",
	"turkish":   "Sayın müşterimiz, siparişiniz hazırlanmış ve kargoya verilmiştir. İyi günler dileriz, görüşmek üzere.",
	"japanese":  "お世話になっております。明日の会議は十時から始まります。よろしくお願いいたします。",
	"korean":    "안녕하세요. 내일 회의는 오전 열 시에 시작합니다. 늦지 않게 와 주시기 바랍니다. 감사합니다.",
	"chinese":   "您好，明天的会议定于上午十点开始，请大家准时参加。谢谢您的合作。",
	"chinese-t": "您好，明天的會議定於上午十點開始，請大家準時參加。謝謝您的合作。",
}

func TestGuess(t *testing.T) {
	for _, c := range []struct {
		language string
		enc      encoding.Encoding
		want     string
	}{
		{"german", unicode.UTF8, "utf-8"},
		{"german", charmap.Windows1252, "windows-1252"},
		{"french", charmap.Windows1252, "windows-1252"},
		{"russian", unicode.UTF8, "utf-8"},
		{"russian", charmap.Windows1251, "windows-1251"},
		{"russian", charmap.KOI8R, "koi8-r"},
		{"russian", charmap.ISO8859_5, "iso-8859-5"},
		{"russian", charmap.CodePage866, "ibm866"},
		{"greek", charmap.Windows1253, "windows-1253"},
		{"hebrew", charmap.Windows1255, "windows-1255"},
		{"arabic", charmap.Windows1256, "windows-1256"},
		{"thai", charmap.Windows874, "windows-874"},
		{"polish", charmap.Windows1250, "windows-1250"},
		{"turkish", charmap.Windows1254, "windows-1254"},
		{"japanese", japanese.ShiftJIS, "shift_jis"},
		{"japanese", japanese.EUCJP, "euc-jp"},
		{"japanese", japanese.ISO2022JP, "iso-2022-jp"},
		{"korean", korean.EUCKR, "euc-kr"},
		{"chinese", simplifiedchinese.GBK, "gb18030"},
		{"chinese-t", traditionalchinese.Big5, "big5"},
	} {
		b, err := c.enc.NewEncoder().Bytes([]byte(sentences[c.language]))
		if err != nil {
			t.Fatal(c.language, err)
		}
		for name, b := range map[string][]byte{"alone": b, "behind ASCII": append([]byte("Subject: some words of ASCII first, as mail has them\n"), b...), "twice": append(append(b, '\n'), b...)} {
			if got := mime.Guess(b).Name(); got != c.want {
				t.Errorf("%s in %s, %s: got %s", c.language, c.want, name, got)
			}
		}
	}
	for in, want := range map[string]string{
		"": "us-ascii", "plain": "us-ascii", "\xef\xbb\xbfx": "utf-8", "\xff\xfeh\x00": "utf-16", "caf\xe9": "windows-1252", "\x80\x81": "windows-1252",
		strings.Repeat("é", 100) + "\xff":  "utf-8",
		strings.Repeat("é", 3000):          "utf-8",
		strings.Repeat("é", 3000) + "\xe9": "utf-8",
	} {
		if got := mime.Guess([]byte(in)).Name(); got != want {
			t.Errorf("Guess(%.20q): got %s, want %s", in, got, want)
		}
	}
}

func BenchmarkGuess(b *testing.B) {
	text, _ := charmap.KOI8R.NewEncoder().Bytes([]byte(strings.Repeat(sentences["russian"], 40)))
	for b.Loop() {
		mime.Guess(text)
	}
}
