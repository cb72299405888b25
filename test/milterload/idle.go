package main

import (
	"context"
	"math/rand/v2"
	"time"

	"rmilter/milter/miltertest"
)

// openIdle opens idle connections and sees what they cost.
func (l *load) openIdle(ctx context.Context) (report, error) {
	if l.warmup > 0 {
		l.round(ctx, l.warmup)
	}
	before, err := processTree(l.pid)
	if err != nil {
		return report{}, err
	}
	begin := time.Now()
	t := newTally()
	senders := make([]*sender, 0, l.idle)
	defer func() {
		for _, s := range senders {
			s.drop()
		}
	}()
	for i := range l.idle {
		if ctx.Err() != nil || time.Since(begin) > l.limit {
			break
		}
		s := &sender{load: l, rng: rand.New(rand.NewPCG(l.seed, uint64(i)+2)), tally: t}
		if stage, err := s.idleOn(&l.corpus[i%len(l.corpus)]); err != nil {
			t.errors[stage.String()+": "+brief(err)]++
			s.drop()
			continue
		}
		senders = append(senders, s)
	}
	after, err := processTree(l.pid)
	if err != nil {
		return report{}, err
	}
	r := newReport(l, []*tally{t}, time.Since(begin))
	r.Idle = &idleReport{
		Connections: len(senders),
		After:       l.idleAfter,
		BeforeMB:    mb(before.rss),
		OpenMB:      mb(after.rss),
		KBEach:      float64(after.rss-before.rss) / 1024 / float64(max(len(senders), 1)),
	}
	return r, nil
}

// idleOn brings one connection to where it is left alone.
func (s *sender) idleOn(l *letter) (miltertest.Command, error) {
	stage, _, err := s.open()
	if err != nil {
		return stage, err
	}
	// HELO may have been held back: nothing is due after it.
	if err := s.conn.Flush(); err != nil || s.idleAfter != "message" {
		return stage, err
	}
	d := s.delivery(l)
	out, err := s.conn.Deliver(d, miltertest.Options{Chunk: s.chunk, Macros: s.messageMacros("4IDLE", d, false), AbortAfterEnd: true})
	return out.Stage, err
}
