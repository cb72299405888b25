package checks

import "testing"

func TestForwarding(t *testing.T) {
	const received = "Received: from a.example.net by mx.example.com with ESMTP id 1\n for <alice@example.com>; Sun, 22 Nov 2026 12:00:00 +0000\n"
	const elsewhere = "Received: from a.example.net by mx.example.org with ESMTP id 1\n for <bob@example.org>; Sun, 22 Nov 2026 12:00:00 +0000\n"
	runFixtures(t, Forwarding, []fixture{
		{"direct", nil, "From: joe@example.net\nTo: alice@example.com\n\n", ""},
		{"for the recipient", nil, received + "To: bob@example.org\n\n", ""},
		{"for the recipient's address with an extension", rcpts("<alice+x@example.com>"), received + "\n", ""},
		{"delivered before", nil, received + "To: Alice <ALICE@example.com>\n\n", "PREVIOUSLY_DELIVERED{alice@example.com}"},
		{"forwarded", nil, elsewhere + "To: bob@example.org\n\n", "PREVIOUSLY_DELIVERED{bob@example.org} FORWARDED{bob@example.org}"},
		{"forwarded, bcc", nil, elsewhere + "To: carl@example.net\n\n", "FORWARDED{bob@example.org}"},
		{"by a list", nil, elsewhere + "To: bob@example.org\nList-Unsubscribe: <mailto:x@example.org>\n\n", "PREVIOUSLY_DELIVERED{bob@example.org}"},
		{"the topmost counts", nil, received + elsewhere + "\n", ""},
		{"no domain", nil, "Received: from a by b for <alice>; Sun, 22 Nov 2026 12:00:00 +0000\n\n", ""},
		{"to several", rcpts("<alice@example.com>", "<carl@example.com>"), elsewhere + "\n", ""},
		{"only asked", inspect, elsewhere + "\n", ""},

		{"Google", sender("<bob+caf_=alice=example.com@example.org>"), "\n", "FWD_GOOGLE{bob@example.org}"},
		{"Google for another", sender("<bob+caf_=carl=example.com@example.org>"), "\n", ""},
		{"SRS", sender("<SRS0=HHH=TT=example.net=joe@example.com>"), "\n", "FWD_SRS"},
		{"SRS twice", sender("<srs1=HHH=example.org==HHH=TT=example.net=joe@example.com>"), "\n", "FWD_SRS"},
		{"not SRS", sender("<srsly=1@example.com>"), "\n", ""},
		{"VERP", sender("<bounces+7-Alice=Example.com@news.example.net>"), "\n", "ENVFROM_VERP"},
		{"VERP of another", sender("<bounces+7-carl=example.com@news.example.net>"), "\n", ""},
		{"a bounce", sender("<>"), "\n", ""},
		{"prvs", sender("<prvs=1234abcd=joe@example.net>"), "From: Joe@example.net\n\n", "ENVFROM_PRVS"},
		{"prvs, the other way", sender("<prvs=joe=1234abcd@example.net>"), "From: joe@example.net\n\n", "ENVFROM_PRVS"},
		{"msprvs1", sender("<msprvs1=1234abcd=joe@example.net>"), "From: joe@example.net\n\n", "ENVFROM_PRVS"},
		{"btv1", sender("<btv1==1234abcd==joe@example.net>"), "From: joe@example.net\n\n", "ENVFROM_PRVS"},
		{"prvs of another", sender("<prvs=1234abcd=bob@example.net>"), "From: joe@example.net\n\n", ""},
		{"prvs of another domain", sender("<prvs=1234abcd=joe@example.org>"), "From: joe@example.net\n\n", ""},
		{"prvs without a tag", sender("<prvs=joe@example.net>"), "From: joe@example.net\n\n", ""},
	})
}
