-- Whether a script may write here.
return redis.call('SET', KEYS[1], '', 'PX', 1000)
