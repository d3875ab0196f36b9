// Shows the server's time, one message a second; says so when the connection ends.
(function () {
  var place = document.getElementById("clock");
  var scheme = location.protocol === "https:" ? "wss://" : "ws://";
  var socket = new WebSocket(scheme + location.host + "/clock");
  socket.onmessage = function (message) {
    place.textContent = message.data;
  };
  socket.onclose = function () {
    place.textContent = "not connected";
  };
})();
