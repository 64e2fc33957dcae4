$files = Join-Path $base 'files'
New-Item -ItemType Directory -Force -Path $files | Out-Null
$answer = @{ folder = '/' + ($files -replace '\\', '/'); sha256 = '' }
if ($q.name) {
  if ($q.name -notmatch '^[A-Za-z0-9][A-Za-z0-9._()+~-]{0,200}\z') { throw 'the name is malformed' }
  $path = Join-Path $files $q.name
  if (Test-Path -LiteralPath $path) {
    $answer.sha256 = (Get-FileHash -Algorithm SHA256 -LiteralPath $path).Hash.ToLower()
  }
}
$answer | ConvertTo-Json -Compress
