package logs

import (
	"context"
	"log/slog"
	"time"
)

// timeHandler gives all records one time.
type timeHandler struct {
	slog.Handler
	at time.Time
}

func (h timeHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Time = h.at
	return h.Handler.Handle(ctx, r)
}

func (h timeHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return timeHandler{h.Handler.WithAttrs(attrs), h.at}
}

func (h timeHandler) WithGroup(name string) slog.Handler {
	return timeHandler{h.Handler.WithGroup(name), h.at}
}
