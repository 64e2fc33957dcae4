if ($q.id -notmatch '^[A-Za-z0-9_-]{8,64}\z') { throw 'the id is malformed' }
$file = Join-Path $folder ($q.id + '.json')
Alone {
  if (-not (Test-Path -LiteralPath $file)) { return (@{ id = $q.id; state = 'unknown' } | ConvertTo-Json -Compress) }
  Look $file | ConvertTo-Json -Depth 6 -Compress
}
