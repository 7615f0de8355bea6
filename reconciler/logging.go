package reconciler

import (
	"strconv"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// placed is a core that says with each line of an environment's log which pass it
// is of and which trace that is part of, or which request had an act done. It
// asks only when a line is written: a quiet pass writes none, and pays nothing.
type placed struct {
	zapcore.Core
	e *environment
}

// With implements zapcore.Core.
func (c placed) With(fields []zapcore.Field) zapcore.Core { return placed{c.Core.With(fields), c.e} }

// Check implements zapcore.Core.
func (c placed) Check(entry zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return ce.AddCore(entry, c)
	}
	return ce
}

// Write implements zapcore.Core.
func (c placed) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	fields = fields[:len(fields):len(fields)] // the caller's, and pooled
	if p := c.e.at.Load(); p != nil {
		fields = append(fields, zap.String("pass", p.id()))
		if trace := p.work.TraceID(); trace != "" {
			fields = append(fields, zap.String("trace", trace))
		}
	}
	if request := c.e.asked.Load(); request != nil && *request != "" {
		fields = append(fields, zap.String("request", *request))
	}
	return c.Core.Write(entry, fields)
}

// logger is an environment's log.
func (e *environment) logger(log *zap.Logger) *zap.Logger {
	return log.With(zap.String("environment", e.name)).WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return placed{core, e} }))
}

// id tells a pass from every other of its environment, those of the daemons
// before this one included.
func (p *pass) id() string {
	return strconv.FormatInt(p.e.d.born.UnixMilli(), 36) + "-" + strconv.Itoa(p.number)
}
